"""What is to be done on every host of a fleet, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.bundlefile import Bundle

DEFAULT = ("put", "install", "doctor", "check", "tune", "bench")
STEPS = (*DEFAULT, "collect")  # each is a method of deploy.steps.Steps


@dataclass(frozen=True)
class Order:
    """What is to be done on every host."""

    bundles: Sequence[Bundle]
    steps: Sequence[str]
    signers: bytes | None  # an allowed_signers file
    rollback: bool
    allow_downgrade: bool
    quick: bool  # of the bench
    timeout: float  # seconds that a step may take
    pictures: Path  # a folder for what `collect` brings


@dataclass
class Outcome:
    """A host, and what became of it."""

    name: str
    step: str = "waiting"
    cause: str = ""  # why it failed
    fault: str = ""  # the stack trace, if edgecnn is to blame
    done: bool = False
    changed: bool = False
    sent: int = 0  # bytes
    seconds: float = 0.0
    results: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """For fleet.json and `--json`."""
        state = "failed" if self.cause else "changed" if self.changed else "unchanged"
        document: dict[str, Any] = {"host": self.name, "state": state, "step": self.step, "cause": self.cause or None}
        document |= {"bytes_sent": self.sent, "seconds": round(self.seconds, 1), "summary": self.summary}
        return document | {"results": self.results} | ({"fault": self.fault} if self.fault else {})
