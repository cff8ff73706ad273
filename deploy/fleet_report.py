"""What a fleet shows: a live table while hosts are worked on, then files and a report."""

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deploy.outcome import Outcome
from edgecnn.command import table
from edgecnn.escape import for_markdown
from edgecnn.files import sha256, write_file
from edgecnn.tables import WIDE

HEAD = ("host", "state", "version", "fastest here", "p50 us", "latency", "answers", "seconds", "bytes sent")
_MOST_NAME = 100  # characters of a file's name

Documents = Sequence[dict[str, Any]]  # one for each host


def file_name(text: str) -> str:
    """A file's name for a host or an inventory: a different one for each, and in no other folder."""
    name = re.sub(r"^\.", "%2E", quote(text, safe="@,+", errors="surrogateescape"))
    return name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]}-{sha256(name.encode())[:12]}"


def write_results(folder: Path, outcomes: Sequence[Outcome]) -> Documents:
    """Write a JSON file for each host, one for all, and the report; returns the hosts' documents."""
    for outcome in outcomes:
        outcome.cause = outcome.cause or ("" if outcome.done else "interrupted")
    documents = [outcome.as_document() for outcome in outcomes]
    for host in documents:
        write_file(folder / "hosts" / f"{file_name(host['host'])}.json", json.dumps(host, indent=1).encode())
    write_file(folder / "fleet.json", json.dumps({"schema": 1, "hosts": documents}, indent=1).encode())
    write_file(folder / "fleet.md", report(documents).encode())
    return documents


def failed(documents: Documents) -> Documents:
    """The hosts that failed."""
    return [host for host in documents if host["cause"]]


def report(documents: Documents) -> str:
    """Markdown: a row for each host, then a list of what stands out."""
    lines = ["# Fleet", "", "```", table(HEAD, [_row(host) for host in documents], WIDE), "```", ""]
    lines += [f"- FAILED {host['host']} at {host['step']}: {for_markdown(host['cause'])}" for host in failed(documents)]
    lines += _extremes(documents)
    different = [host["host"] for host in documents if host["summary"].get("other_labels")]
    lines += [f"- answers differ from the workstation's: {', '.join(different)}"] if different else []
    invalid = [host["host"] for host in documents if "INVALID" in host["summary"].get("latency", ())]
    lines += [f"- latency INVALID: {', '.join(invalid)}"] if invalid else []
    if all(host["state"] == "unchanged" for host in documents):
        lines.append("- nothing was changed")
    return "\n".join([*lines, ""])


def _extremes(documents: Documents) -> list[str]:
    """A line with the fastest and the slowest host, if two or more were measured."""
    times = {host["host"]: host["summary"].get("p50_us") for host in documents}
    times = {name: p50 for name, p50 in times.items() if p50 is not None}
    if len(times) < 2:
        return []
    fastest, slowest = min(times, key=times.__getitem__), max(times, key=times.__getitem__)
    return [f"- fastest {fastest} ({times[fastest]:.1f} us), slowest {slowest} ({times[slowest]:.1f} us)"]


def _row(host: dict[str, Any]) -> tuple[str, ...]:
    summary = host["summary"]
    p50, changed = summary.get("p50_us"), summary.get("other_labels")
    return (
        host["host"],
        host["state"],
        summary.get("version", "–"),
        summary.get("fastest") or "–",
        "–" if p50 is None else f"{p50:.1f}",
        ", ".join(summary.get("latency", ())) or "–",
        "–" if changed is None else f"{changed} other labels" if changed else "the same",
        f"{host['seconds']:.0f}",
        f"{host['bytes_sent']:,}",
    )


@contextlib.contextmanager
def shown(outcomes: Sequence[Outcome]) -> Iterator[Callable[[], None]]:
    """A function that shows the hosts' states on stderr: a live table on a terminal, else a line for each new state."""
    if not sys.stderr.isatty():
        yield _state_printer(outcomes)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(_live_table(outcomes), console=Console(stderr=True), auto_refresh=False) as live:
        yield lambda: live.update(_live_table(outcomes), refresh=True)


def _state_printer(outcomes: Sequence[Outcome]) -> Callable[[], None]:
    printed: dict[str, str] = {}

    def print_states() -> None:
        for host in outcomes:
            state = host.cause or host.step
            if printed.get(host.name) != state:
                printed[host.name] = state
                print(f"{host.name}: {f'FAILED at {host.step}: {state}' if host.cause else state}", file=sys.stderr)

    return print_states


def _live_table(outcomes: Sequence[Outcome]) -> Any:
    from rich.table import Table
    from rich.text import Text

    rows = Table("host", "step", "bytes sent", "", box=None, header_style="bold")
    for host in outcomes:
        style = "red" if host.cause else "green" if host.done else None
        rows.add_row(Text(host.name), host.step, f"{host.sent:,}", Text(host.cause), style=style)
    return rows
