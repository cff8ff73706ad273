"""The hosts of a fleet: `[user@]host[:port]` separated by commas, or a Python file of pyinfra's."""

import ipaddress
import logging
import re
from pathlib import Path
from typing import Any

from pyinfra.api import Config, Inventory, State
from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.context import ctx_state

from edgecnn import bounds
from edgecnn.errors import EdgecnnError

CONNECT_SECONDS = 15


def load_hosts(inventory: str, parallel: int) -> list[Host]:
    """The hosts that an inventory names.

    Args:
        inventory: a file of pyinfra's, or addresses separated by commas.
        parallel: hosts at once.

    Raises:
        EdgecnnError: there is no such file, it cannot be read, or a name is no address.
    """
    logging.getLogger("pyinfra").setLevel(logging.CRITICAL + 1)  # the fleet reports it, in one line for each host
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    state = State()
    ctx_state.set(state)  # which inventories are read into
    is_file = inventory.endswith(".py") or Path(inventory).is_file()
    hosts = _from_file(inventory) if is_file else _from_names(inventory)
    for host in hosts:
        _complete(host)
    state.init(hosts, Config(CONNECT_TIMEOUT=CONNECT_SECONDS, PARALLEL=parallel))
    return list(hosts)


def _from_file(inventory: str) -> Inventory:
    from pyinfra_cli.inventory import make_inventory  # gevent patches the process where this is imported

    if not Path(inventory).exists():
        raise EdgecnnError(f"{inventory} does not exist: name a pyinfra inventory, or hosts separated by commas")
    try:
        hosts = make_inventory(inventory)
    except Exception as error:  # it is a program
        why = getattr(error, "exception", error)  # some of pyinfra's own errors cannot be printed
        raise EdgecnnError(f"{inventory} is no inventory of pyinfra: {type(why).__name__}: {why}") from None
    if not len(hosts):
        raise EdgecnnError(f"{inventory} names no host")
    return hosts


def _from_names(inventory: str) -> Inventory:
    names = [name.strip() for name in inventory.split(",")]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise EdgecnnError(f"{twice[0]!r} stands twice among the hosts")
    return Inventory((names, {})) if all(address(name) for name in names) else Inventory.empty()


def _complete(host: Host) -> None:
    """Add to a host's data what its name says, and that host keys are checked."""
    if host.connector_cls is not SSHConnector:
        raise EdgecnnError(f"{host.name} is not reached by SSH: a fleet uses nothing else")
    data: dict[str, Any] = {"ssh_strict_host_key_checking": "yes"}  # pyinfra would take a key that it never saw
    if host.data.get("ssh_hostname") is None:
        data |= address(host.name)
    for key, value in data.items():
        if host.data.get(key) is None:
            setattr(host.data, key, value)


def address(text: str) -> dict[str, Any]:
    """The parts of `[user@]host[:port]`, by pyinfra's names; an IPv6 address is bare, or in brackets before a port.

    Raises:
        EdgecnnError: it is no such text.
    """
    user, at, rest = text.rpartition("@")
    bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::(\d{1,5}))?", rest)
    named = re.fullmatch(r"([^\s:/\[\]]+)(?::(\d{1,5}))?", rest)
    host, port = (bracketed or named).groups() if bracketed or named else (rest, None)  # type: ignore[union-attr]
    whole = (user or not at) and re.fullmatch(r"[^\s:/]*", user) and host.isprintable() and not host.startswith("-")
    if not whole or not (named or _is_ipv6(host)) or not 0 < int(port or 22) < 65536:
        raise EdgecnnError(f"{text!r} is no host: give [user@]host[:port], an IPv6 address with a port as [::1]:22")
    parts = {
        "ssh_hostname": bounds.host(host, "host"),
        "ssh_user": user or None,
        "ssh_port": int(port) if port else None,
    }
    return {key: value for key, value in parts.items() if value is not None}


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False
