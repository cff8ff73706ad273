"""Bring a bundle to every host of a pyinfra inventory, and bring the results back.

For each host in parallel: put the bundle there, install it into an environment of its own, then doctor, check, tune and
bench. A version comes into use only after its checks passed on the host, and the one before stays for --rollback. A
second run changes nothing where nothing is to be changed. A host that fails names its cause, the others go on, and the
exit status is 1. Host keys are checked; there is no option for a password: keys and agents are SSH's matter.

An inventory is a Python file of pyinfra's, or hosts separated by commas: [user@]host[:port], an IPv6 address with a
port in brackets. Of a host's data pyinfra takes ssh_user, ssh_port, ssh_key and their like; edgecnn_python (default
python3) and edgecnn_home (default ~/edgecnn) are taken too.

Examples:
  python -m deploy.fleet pi@kitchen.local,pi@garage.local --bundle artifacts/mnist/mnist-pi4-bookworm.bundle
  python -m deploy.fleet boards.py --bundle pi4.bundle pi5.bundle --steps put,install,check
  python -m deploy.fleet boards.py --rollback
"""

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deploy.bundlefile import Bundle, InstallError, open_bundle
from edgecnn import arguments
from edgecnn.command import BROKEN, GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.escape import for_markdown
from edgecnn.files import read_file, sha256, write_file
from edgecnn.tables import WIDE

if TYPE_CHECKING:
    from deploy.hosts import Outcome

_STEPS = "put,install,doctor,check,tune,bench"
_MOST_NAME = 100  # characters of a file's name
_REFRESH = 0.25  # seconds between two states of the live table


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m deploy.fleet`."""
    options = _parser().parse_args(argv)
    from gevent import monkey

    monkey.patch_all()  # before paramiko is imported: pyinfra's hosts run as greenlets
    import gevent
    from gevent.pool import Pool

    from deploy.hosts import Order, Outcome, deploy
    from deploy.inventory import load_hosts

    bundles = [_bundle(path) for path in options.bundle]
    if not options.rollback and not bundles and {"put", "install"} & set(options.steps):
        raise EdgecnnError("--bundle is missing: python -m deploy.bundle makes one")
    signers = read_file(options.signers) if options.signers else None
    hosts = load_hosts(options.inventory, options.parallel)
    order = Order(
        bundles, options.steps, signers, options.rollback, options.allow_downgrade, options.quick, options.timeout
    )
    folder = options.output or Path("artifacts/fleet") / _folder(options.inventory)
    outcomes = [Outcome(host.name) for host in hosts]
    pool = Pool(options.parallel)
    running = [pool.spawn(deploy, host, order, outcome) for host, outcome in zip(hosts, outcomes, strict=True)]
    try:
        with _shown(outcomes) as refresh:
            while not all(each.ready() for each in running):
                gevent.joinall(running, timeout=_REFRESH)
                refresh()
    finally:  # also at Ctrl-C
        gevent.killall(running)
        documents = _written(folder, outcomes)
    if options.json:
        print_json(documents)
    else:
        print(report(documents), f"\n{folder}/fleet.md, and a JSON file for each host in {folder}/hosts", sep="")
    return BROKEN if any(each.fault for each in outcomes) else GATE_FAILED if _failed(documents) else OK


def _bundle(path: Path) -> Bundle:
    try:
        return open_bundle(path)
    except InstallError as error:
        raise EdgecnnError(str(error)) from None


def file_name(text: str) -> str:
    """A file's name for a host or an inventory: another one for each, and of no other folder."""
    name = re.sub(r"^\.", "%2E", quote(text, safe="@,+", errors="surrogateescape"))
    return name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]}-{sha256(name.encode())[:12]}"


def _folder(inventory: str) -> str:
    """The name of the folder for an inventory's results: a file's, or that of all its hosts."""
    return file_name(Path(inventory).stem if inventory.endswith(".py") else inventory)


def _written(folder: Path, outcomes: Sequence["Outcome"]) -> list[dict[str, Any]]:
    """Write what became of each host, and of all of them; gives the documents."""
    for outcome in outcomes:
        outcome.cause = outcome.cause or ("" if outcome.done else "interrupted")
    documents = [outcome.as_document() for outcome in outcomes]
    for each in documents:
        write_file(folder / "hosts" / f"{file_name(each['host'])}.json", json.dumps(each, indent=1).encode())
    write_file(folder / "fleet.json", json.dumps({"schema": 1, "hosts": documents}, indent=1).encode())
    write_file(folder / "fleet.md", report(documents).encode())
    return documents


def _failed(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in documents if each["cause"]]


@contextlib.contextmanager
def _shown(outcomes: Sequence["Outcome"]) -> Iterator[Any]:
    """A live table of hosts on stderr; where that is no terminal, a line for each step that a host comes to."""
    from rich.console import Console
    from rich.live import Live

    if not sys.stderr.isatty():
        told: dict[str, str] = {}

        def tell() -> None:
            for each in outcomes:
                state = each.cause or each.step
                if told.get(each.name) != state:
                    told[each.name] = state
                    print(f"{each.name}: {f'FAILED at {each.step}: {state}' if each.cause else state}", file=sys.stderr)

        yield tell
        return
    with Live(_live(outcomes), console=Console(stderr=True), auto_refresh=False) as live:
        yield lambda: live.update(_live(outcomes), refresh=True)


def _live(outcomes: Sequence["Outcome"]) -> Any:
    from rich.table import Table
    from rich.text import Text

    made = Table("host", "step", "bytes sent", "", box=None, header_style="bold")
    for each in outcomes:
        style = "red" if each.cause else "green" if each.done else None
        made.add_row(Text(each.name), each.step, f"{each.sent:,}", Text(each.cause), style=style)
    return made


HEAD = ("host", "state", "version", "fastest here", "p50 us", "latency", "answers", "seconds", "bytes sent")


def report(documents: Sequence[dict[str, Any]]) -> str:
    """Markdown: a row a host, then what stands out."""
    rows = [_row(each) for each in documents]
    lines = ["# Fleet", "", "```", table(HEAD, rows, WIDE), "```", ""]
    lines += [
        f"- FAILED {each['host']} at {each['step']}: {for_markdown(each['cause'])}" for each in _failed(documents)
    ]
    timed = {each["host"]: each["summary"].get("p50_us") for each in documents}
    timed = {name: p50 for name, p50 in timed.items() if p50 is not None}
    if len(timed) > 1:
        fastest, slowest = min(timed, key=timed.__getitem__), max(timed, key=timed.__getitem__)
        lines.append(f"- fastest {fastest} ({timed[fastest]:.1f} us), slowest {slowest} ({timed[slowest]:.1f} us)")
    different = [each["host"] for each in documents if each["summary"].get("other_labels")]
    lines += [f"- answers differ from the workstation's: {', '.join(different)}"] if different else []
    invalid = [each["host"] for each in documents if "INVALID" in each["summary"].get("latency", ())]
    lines += [f"- latency INVALID: {', '.join(invalid)}"] if invalid else []
    if all(each["state"] == "unchanged" for each in documents):
        lines.append("- nothing was changed")
    return "\n".join([*lines, ""])


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    told = each["summary"]
    p50, changed = told.get("p50_us"), told.get("other_labels")
    return (
        each["host"],
        each["state"],
        told.get("version", "–"),
        told.get("fastest") or "–",
        "–" if p50 is None else f"{p50:.1f}",
        ", ".join(told.get("latency", ())) or "–",
        "–" if changed is None else f"{changed} other labels" if changed else "the same",
        f"{each['seconds']:.0f}",
        f"{each['bytes_sent']:,}",
    )


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("python -m deploy.fleet", __doc__)
    parser.add_argument("inventory", metavar="INVENTORY", help="a pyinfra inventory, or hosts separated by commas")
    parser.add_argument("--bundle", type=Path, nargs="+", default=[], help="each host takes the first that fits it")
    parser.add_argument("--steps", type=_steps, default=_STEPS.split(","), metavar="STEP,…", help=f"default {_STEPS}")
    parser.add_argument("--rollback", action="store_true", help="take the version before into use again")
    parser.add_argument(
        "--allow-downgrade", action="store_true", help="take signed bundles older than the last ones there"
    )
    parser.add_argument("--signers", type=Path, metavar="FILE", help="an allowed_signers file to put on every host")
    parser.add_argument("--quick", action="store_true", help="bench in a hurry: not comparable")
    parser.add_argument(
        "--timeout", type=arguments.positive, default=900.0, help="seconds that a step may take (default 900)"
    )
    parser.add_argument("--parallel", type=arguments.count(1, 1000), default=20, help="hosts at once (default 20)")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default artifacts/fleet/<inventory>")
    return parser


def _steps(text: str) -> list[str]:
    steps, known = text.split(","), _STEPS.split(",")
    if unknown := [step for step in steps if step not in known]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no step: choose of {_STEPS}")
    return [step for step in known if step in steps]


if __name__ == "__main__":
    sys.exit(main())
