"""The labels of a model: separated by commas on the command line, or in a file with one a line."""

import codecs
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

_MARKS = {  # byte order marks, the longer first: UTF-32's begins with UTF-16's
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",  # what PowerShell writes
    codecs.BOM_UTF16_BE: "utf-16",
}
_SHOWN = 12  # of a list of names


def split_labels(words: str) -> tuple[str, ...]:
    """The labels that `--labels` names, in order: separated by commas, or in a file with one a line.

    Raises:
        EdgecnnError: there is no such file, it is no text, it has a label twice, or no label.
    """
    if os.path.isfile(words):  # noqa: PTH113 - forty labels are longer than a name may be: Path.is_file() would raise
        source, text = words, _text(words, read_file(Path(words)))
    elif "," in words:
        source, text = "--labels", words.replace(",", "\n")
    else:
        raise EdgecnnError(f"--labels {words}: there is no such file; separate labels by commas, or name their file")
    labels = [line.strip() for line in text.splitlines() if line.strip()]
    return _checked(source, labels)


def _text(source: str, data: bytes) -> str:
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        cure = f", or iconv -f latin1 -t utf-8 {source}" if encoding == "utf-8" else ""
        raise EdgecnnError(
            f"--labels {source} is not {encoding.upper()} (line {line}): save it as UTF-8{cure}"
        ) from None


def _checked(source: str, labels: list[str]) -> tuple[str, ...]:
    repeated = [label for label in dict.fromkeys(labels) if labels.count(label) > 1]
    if not labels:
        raise EdgecnnError(f"{source} has no label")
    if repeated:
        raise EdgecnnError(f"{source} has the label {listed(repeated)} twice")
    for label in labels:
        bounds.text(label, f"{source}: a label")
    return tuple(bounds.items(labels, source))


def composed(name: str) -> str:
    """A name with its accents within their letters (NFC): macOS writes them apart in file names."""
    return unicodedata.normalize("NFC", name)


def listed(names: Sequence[str] | set[str]) -> str:
    """The first dozen of some names, sorted."""
    shown = sorted(names)[:_SHOWN]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")
