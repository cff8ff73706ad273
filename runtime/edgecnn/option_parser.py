"""The argument parser of every command."""

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

from edgecnn import arguments
from edgecnn.errors import EdgecnnError
from edgecnn.tables import fitted


class _Help(argparse.HelpFormatter):
    """Help whose text is laid out by hand, and broken between words on a narrower screen."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(fitted(part, width) for part in text.strip().split("\n\n"))


class Parser(argparse.ArgumentParser):
    """An argument parser whose help fits the screen, and whose errors are an EdgecnnError.

    Types are stricter than Python's: a word and a Path are not empty, a float is neither nan nor inf.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)
        strict = {None: arguments.words, Path: arguments.path, int: arguments.count(0), float: arguments.number()}
        for plain, checked in strict.items():
            self.register("type", plain, checked)

    def error(self, message: str) -> NoReturn:
        """Raise the error, with the command that prints help."""
        words = re.sub(r"'([^']{40})[^']{20,}'", r"'\1…'", message.removeprefix("argument "))  # long values are cut
        raise EdgecnnError(f"{words} ({self.prog} --help)")
