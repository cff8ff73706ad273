"""Bring a bundle to every host of a pyinfra inventory, and bring the results back.

For each host in parallel: send the bundle, install it into an environment of its own, then doctor, check, tune and
bench. A version is put into use only after its checks passed on the host; the previous one stays for --rollback. A
second run changes nothing if nothing is to be changed. If a host fails, its cause is reported, the others go on, and
the exit status is 1. Host keys are checked; there is no option for a password: use keys and an agent of SSH.

An inventory is a Python file of pyinfra's, or hosts separated by commas: [user@]host[:port], an IPv6 address with a
port in brackets. A host's data may hold ssh_user, ssh_port, ssh_key and others of pyinfra's, and edgecnn_python
(default python3) and edgecnn_home (default ~/edgecnn).

Examples:
  python -m deploy.fleet pi@kitchen.local,pi@garage.local --bundle artifacts/mnist/mnist-pi4-bookworm.bundle
  python -m deploy.fleet boards.py --bundle pi4.bundle pi5.bundle --steps put,install,check
  python -m deploy.fleet boards.py --steps collect
  python -m deploy.fleet boards.py --rollback
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.bundlefile import Bundle, open_bundle
from deploy.fleet_report import failed, file_name, report, shown, write_results
from deploy.index import InstallError
from deploy.outcome import DEFAULT, STEPS, Order, Outcome
from edgecnn import arguments
from edgecnn.command import BROKEN, GATE_FAILED, OK, command, command_parser, print_json
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

_REFRESH = 0.25  # seconds between two states of the live table


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m deploy.fleet`."""
    options = _parser().parse_args(argv)
    from gevent import monkey

    monkey.patch_all()  # before paramiko is imported: pyinfra's hosts run as greenlets
    from deploy.inventory import load_hosts

    folder = options.output or Path("artifacts/fleet") / _folder(options.inventory)
    order = _order(options, folder / "unsure")
    hosts = load_hosts(options.inventory, options.parallel)
    outcomes = [Outcome(host.name) for host in hosts]
    documents = _run(hosts, order, outcomes, options.parallel, folder)
    if options.json:
        print_json(documents)
    else:
        print(report(documents), f"\n{folder}/fleet.md, and a JSON file for each host in {folder}/hosts", sep="")
    return BROKEN if any(host.fault for host in outcomes) else GATE_FAILED if failed(documents) else OK


def _order(options: argparse.Namespace, pictures: Path) -> Order:
    """What the options say is to be done on every host.

    Raises:
        EdgecnnError: a bundle is missing, or it or the signers' file cannot be read.
    """
    bundles = [_bundle(path) for path in options.bundle]
    if not options.rollback and not bundles and {"put", "install"} & set(options.steps):
        raise EdgecnnError("--bundle is missing: python -m deploy.bundle makes one")
    return Order(
        bundles,
        options.steps,
        read_file(options.signers) if options.signers else None,
        options.rollback,
        options.allow_downgrade,
        options.quick,
        options.timeout,
        pictures,
    )


def _bundle(path: Path) -> Bundle:
    try:
        return open_bundle(path)
    except InstallError as error:
        raise EdgecnnError(str(error)) from None


def _run(
    hosts: Sequence[Any], order: Order, outcomes: Sequence[Outcome], parallel: int, folder: Path
) -> Sequence[dict[str, Any]]:
    """Carry out the order on all hosts, so many at once, and write the results; returns them, by host."""
    import gevent
    from gevent.pool import Pool

    from deploy.hosts import deploy

    pool = Pool(parallel)
    running = [pool.spawn(deploy, host, order, outcome) for host, outcome in zip(hosts, outcomes, strict=True)]
    try:
        with shown(outcomes) as show_states:
            while not all(greenlet.ready() for greenlet in running):
                gevent.joinall(running, timeout=_REFRESH)
                show_states()
    finally:  # also at Ctrl-C
        gevent.killall(running)
        documents = write_results(folder, outcomes)
    return documents


def _folder(inventory: str) -> str:
    """The name of the folder for an inventory's results: that of its file, or of all its hosts."""
    return file_name(Path(inventory).stem if inventory.endswith(".py") else inventory)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("python -m deploy.fleet", __doc__)
    parser.add_argument("inventory", metavar="INVENTORY", help="a pyinfra inventory, or hosts separated by commas")
    parser.add_argument("--bundle", type=Path, nargs="+", default=[], help="each host gets the first that fits it")
    names = f"of {','.join(STEPS)} (default: all but collect)"
    parser.add_argument("--steps", type=_steps, default=list(DEFAULT), metavar="STEP,…", help=names)
    parser.add_argument("--rollback", action="store_true", help="put the previous version into use again")
    parser.add_argument(
        "--allow-downgrade", action="store_true", help="accept signed bundles older than the last ones there"
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
    names = text.split(",")
    if unknown := [name for name in names if name not in STEPS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no step: choose of {','.join(STEPS)}")
    return [name for name in STEPS if name in names]


if __name__ == "__main__":
    sys.exit(main())
