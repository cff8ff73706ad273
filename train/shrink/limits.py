"""What a smaller network may take: `--budget macs=200k,params=10k,flash=16k,latency=50us`."""

import re
from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass

COUNTED, MEASURED = ("macs", "params"), ("flash", "latency")
_PART = re.compile(r"(macs|params|flash)=(\d{1,6}(?:\.\d{1,6})?)([kMG]?)|(latency)=(\d{1,6}(?:\.\d{1,6})?)(us|ms)")
_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "us": 1.0, "ms": 1e3}


@dataclass(frozen=True)
class Limits:
    """The most of each: multiply-accumulates, parameters, bytes of constants in C, microseconds of `native` here."""

    most: Mapping[str, float]
    words: str

    @property
    def counted(self) -> dict[str, float]:
        """Those that are known without a conversion."""
        return {name: most for name, most in self.most.items() if name in COUNTED}

    @property
    def measured(self) -> dict[str, float]:
        """Those that only a conversion tells."""
        return {name: most for name, most in self.most.items() if name in MEASURED}


def parse_limits(text: str) -> Limits:
    """A type for argparse.

    Raises:
        ArgumentTypeError: the text is no budget.
    """
    parts = [_PART.fullmatch(part) for part in text.split(",")]
    most = {
        str(part[1] or part[4]): float(part[2] or part[5]) * _FACTORS[part[3] or part[6] or ""]
        for part in parts
        if part
    }
    if not all(parts) or len(most) < len(parts):
        raise ArgumentTypeError(
            f"{text!r} is no budget: write macs=200k, params=10k, flash=16k or latency=50us, several with commas"
        )
    return Limits(most, text)
