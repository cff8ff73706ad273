"""Tables fit the screen that they are read on, and are as wide as they need elsewhere."""

import os
import pty
import subprocess
import sys
import termios

import pytest

from edgecnn.tables import WIDE, fitted, table

HEAD = ("model", "engine", "threads", "p50", "verdict")
ROWS = [("model_int8.tflite", "litert", 1, 24.5, "VALID"), ("猫.tflite", "onnx", 2, "–", "FAIL   since " + "so " * 20)]


def test_words_are_to_the_left_and_figures_to_the_right() -> None:
    """Chinese takes two places a letter."""
    assert table(HEAD, [ROWS[0], ("猫.tflite", "onnx", 12, "–", "INVALID")], WIDE).splitlines() == [
        "model              engine  threads   p50  verdict",
        "─────────────────  ──────  ───────  ────  ───────",
        "model_int8.tflite  litert        1  24.5  VALID",
        "猫.tflite          onnx         12     –  INVALID",
    ]
    assert table(("", "a"), [], WIDE) == "  a\n  ─"


@pytest.mark.parametrize("width", [80, 60, 50, 42])
def test_a_table_takes_no_more_than_it_may_and_loses_nothing(width: int) -> None:
    laid_out = table(HEAD, ROWS, width)
    assert max(map(len, laid_out.splitlines())) <= width
    for word in (*HEAD, "24.5", "litert", "VALID"):
        assert word in laid_out
    assert laid_out.split().count("so") == 20
    for part in laid_out.split("\n\n"):  # each with the names of its rows
        assert part.startswith("model  ")


def test_a_long_word_stays_whole_to_be_copied() -> None:
    path = "/a" * 60
    assert path in table(("", "file"), [("data", f"{path}, 10 images")], 80)


def test_text_in_two_columns_goes_on_in_the_second() -> None:
    assert fitted("one two three four five six seven", 14) == "one two three\nfour five six\nseven"
    assert fitted("a   one two three\n  python -m command --option value", 12) == (
        "a   one two\n    three\n  python -m command --option value"
    )


@pytest.mark.parametrize("words", [("info",), ("check", "--help"), ("--help",)])
def test_a_terminal_of_80_columns_is_enough(words: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen([sys.executable, "-m", "edgecnn", *words], stdout=theirs, stdin=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # all of it was read, and the process has ended
            os.close(ours)
    assert process.returncode == 0
    assert max(map(len, shown.decode().splitlines())) <= 80
