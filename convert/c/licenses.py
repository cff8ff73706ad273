"""The text of a package's LICENSE: that of the license itself where it is here, else where to read it.

To add one: templates/licenses/IDENTIFIER.txt. Apache-2.0 is that of this repository.
"""

import re
from pathlib import Path

_TEXTS = Path(__file__).parent / "templates/licenses"
_OWN = {"Apache-2.0": Path(__file__).parents[2] / "LICENSE"}
_WORDS = {"AND", "OR", "WITH"}


def license_text(expression: str) -> str:
    """The text for a license, or for an expression of several.

    Args:
        expression: as SPDX writes it.
    """
    texts = (_text(name) for name in re.findall("[A-Za-z0-9.-]+", expression) if name not in _WORDS)
    return "\n".join((f"SPDX-License-Identifier: {expression}\n", *texts))


def _text(identifier: str) -> str:
    path = _OWN.get(identifier, _TEXTS / f"{identifier}.txt")
    if path.is_file():
        return path.read_text(encoding="utf-8").lstrip("\n")
    if identifier.startswith("LicenseRef-"):
        return f"{identifier}: put its text here.\n"
    return f"{identifier}: the text is at https://spdx.org/licenses/{identifier}.html\n"
