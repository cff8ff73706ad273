"""A stand-in for rpicam-vid, which speaks as it is documented to: no camera is here.

`install(folder)` writes it as a program. It takes the options that `edgecnn.rpicam` gives, refuses others, and writes
frames as YUV420 to stdout, whose rows are padded as on a board: FAKE_ALIGNMENT bytes. Frame n has the brightness n at
its left pixel, and shows `shown(width, height)` elsewhere. The environment says what else happens: FAKE_FRAMES before
it ends, FAKE_ERROR as its last words, FAKE_CAMERAS, FAKE_STALL.

Sources: rpicam-apps, core/options.cpp, apps/rpicam_vid.cpp, encoder/null_encoder.cpp; the lines of errors too.
"""

import os
import sys
from pathlib import Path

HEAD = "#!{python}\nimport sys\nsys.path.insert(0, {folder!r})\nfrom fake_rpicam import main\nmain(sys.argv[1:])\n"


def install(folder: Path, name: str = "rpicam-vid") -> Path:
    """Write the program into a folder."""
    program = folder / name
    program.write_text(HEAD.format(python=sys.executable, folder=str(Path(__file__).parent)))
    program.chmod(0o755)
    return program


def yuv(rgb: tuple[int, int, int]) -> tuple[int, int, int]:
    """Brightness, blueness, redness of a colour. Source: JFIF 1.02."""
    red, green, blue = rgb
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(luma), round((blue - luma) / 1.772 + 128), round((red - luma) / 1.402 + 128)


def frame(width: int, height: int, alignment: int, number: int) -> bytes:
    """A frame whose left half is red and whose right half is blue, with its number in all pixels of the first row."""
    row = -(-width // alignment) * alignment
    left, right = yuv((200, 30, 20)), yuv((10, 40, 220))
    planes = []
    for plane, share in ((0, 1), (1, 2), (2, 2)):
        columns = width // share
        line = bytes([left[plane]]) * (columns // 2) + bytes([right[plane]]) * (columns - columns // 2)
        line += bytes([0xEE]) * (row // share - len(line))
        planes.append(line * (height // share))
    head = bytes([number % 256]) * width
    return head + planes[0][width:] + planes[1] + planes[2]


def main(words: list[str]) -> None:
    """Write frames until the reader leaves, or a signal comes."""
    import argparse
    import time

    if "--list-cameras" in words:
        print(os.environ.get("FAKE_CAMERAS", "No cameras available!"))
        return
    parser = argparse.ArgumentParser()
    for option in ("timeout", "verbose", "camera", "width", "height"):
        parser.add_argument(f"--{option}", type=int, required=True)
    parser.add_argument("--framerate", type=float, required=True)
    parser.add_argument("--codec", choices=["yuv420"], required=True)
    parser.add_argument("--output", choices=["-"], required=True)
    for option in ("nopreview", "flush"):
        parser.add_argument(f"--{option}", action="store_true", required=True)
    options = parser.parse_args(words)
    if error := os.environ.get("FAKE_ERROR"):
        print(error, file=sys.stderr)
        sys.exit(255)
    marker = os.environ.get("FAKE_FRAMES", "")
    alignment = int(os.environ.get("FAKE_ALIGNMENT", "64"))
    body = frame(options.width, options.height, alignment, 0)
    number = 0
    out = sys.stdout.buffer
    try:
        while not marker or number < int(marker):
            if os.environ.get("FAKE_STALL") == str(number):
                time.sleep(60)
            out.write(bytes([number % 256]) * options.width + body[options.width :])
            out.flush()
            number += 1
            time.sleep(1 / options.framerate)
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(0)
