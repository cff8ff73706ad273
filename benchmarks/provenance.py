"""Where a benchmark's figures come from: when, by what command, at which commit, on what machine."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgecnn.command import commit
from edgecnn.device import describe


def provenance() -> dict[str, Any]:
    """The part of a benchmark's document that is no figure: `time` in UTC, `command`, `commit`, `device`."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(("python -m", _module(), *sys.argv[1:])),
        "commit": commit(Path(__file__).parent),
        "device": asdict(describe()),
    }


def _module() -> str:
    """The running command, as `python -m` names it."""
    spec = sys.modules["__main__"].__spec__
    return spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).stem
