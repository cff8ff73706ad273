"""A program in the place of rpicam-vid: a camera above a sheet of paper with the package's digit, which moves a little.

It takes the options of rpicam-vid, of which width and height count, and writes YUV420 to stdout, without gaps.
"""

import itertools
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

WARM = (118, 138)  # blueness and redness of a sheet in the light of a lamp


def install(folder: Path) -> None:
    """Write it into a folder as rpicam-vid."""
    program = folder / "rpicam-vid"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{Path(__file__).resolve()}' \"$@\"\n")
    program.chmod(0o755)


def sheet(width: int, height: int, shift: int) -> bytes:
    """A frame whose digit is so many pixels right of the middle."""
    from edgecnn import SHIPPED

    falling = np.add.outer(np.linspace(0, 25, height), np.linspace(0, 20, width))  # the lamp's light
    luma = Image.fromarray((232 - falling).astype(np.uint8))
    digit = Image.open(SHIPPED.with_name("picture.png")).convert("L").resize((260, 260))
    ink = 255 - np.asarray(digit, np.uint8)
    mask = Image.fromarray(np.where(ink > 60, ink, 0).astype(np.uint8))
    luma.paste(40, ((width - 260) // 2 + shift, (height - 260) // 2), mask)
    chroma = (bytes([colour]) * ((width // 2) * (height // 2)) for colour in WARM)
    return luma.tobytes() + b"".join(chroma)


def main(words: list[str]) -> None:
    """Write 15 frames a second until the reader leaves."""
    if "--list-cameras" in words:
        return
    width, height = (int(words[words.index(f"--{name}") + 1]) for name in ("width", "height"))
    frames = [sheet(width, height, shift) for shift in range(-20, 21, 5)]
    for frame in itertools.cycle(frames + frames[::-1]):
        sys.stdout.buffer.write(frame)
        sys.stdout.flush()
        time.sleep(1 / 15)


if __name__ == "__main__":
    main(sys.argv[1:])
