"""Pictures that devices were not sure of, as a folder that can be labelled: one folder for each probable label.

A host may send anything: names, sizes and contents are checked here, and nothing is unpacked but plain files whose
names were asked for.
"""

import base64
import binascii
import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy.fleet_report import file_name
from deploy.session import StepError, quoted
from edgecnn.files import write_file
from edgecnn.unsure import is_ours, message_in

_NAMES = 500  # pictures at once
_MOST = 2**20  # bytes of a picture; a larger one stays there
NOWHERE = "unlabelled"  # the folder of pictures without an answer


def listing(folder: str) -> str:
    """A command that prints the pictures of a folder; nothing if there is no folder."""
    return f"cd {quoted(folder)} 2>/dev/null && find . -maxdepth 1 -type f -name '*.png' -size -{_MOST // 512} || true"


def packing(folder: str, names: Sequence[str]) -> str:
    """A command that prints pictures as a tar file in base64; those that are gone meanwhile are left out."""
    kept = f"for name in {quoted(*names)}; do test -f $name && echo $name; done"
    return f"cd {quoted(folder)} && {{ {kept}; }} | tar -cf - -T - | base64"


def removing(folder: str, names: Sequence[str]) -> str:
    """A command that removes pictures."""
    return f"cd {quoted(folder)} && rm -f {quoted(*names)}"


def batches(listed: str) -> Iterator[list[str]]:
    """The names of our pictures in what a host listed, some hundreds at once, the oldest first."""
    names = sorted({line.removeprefix("./") for line in listed.splitlines() if is_ours(line.removeprefix("./"))})
    for begin in range(0, len(names), _NAMES):
        yield names[begin : begin + _NAMES]


def save_pictures(packed: str, names: Sequence[str], folder: Path, host: str) -> int:
    """Write the pictures of a host into the folders of their most probable labels; returns how many.

    Raises:
        StepError: what the host sent is damaged.
    """
    count = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed)), mode="r:") as archive:
            for member in archive:
                if member.isfile() and member.name in names and member.size <= _MOST:
                    picture: Any = archive.extractfile(member)
                    _save(picture.read(), folder, f"{file_name(host)}-{member.name}")
                    count += 1
    except (tarfile.TarError, binascii.Error, EOFError) as error:
        raise StepError(f"the pictures arrived damaged ({error}): run it again") from None
    return count


def _save(picture: bytes, folder: Path, name: str) -> None:
    top = message_in(picture).get("top")
    label = next(iter(top), "") if isinstance(top, dict) else ""
    write_file(folder / (file_name(label) or NOWHERE) / name, picture)
