"""A command's status and words survive its streams: closed, full, of few letters, read by nobody."""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run
from PIL import Image

import edgecnn.info
from edgecnn import SHIPPED, Classifier
from edgecnn.cli import main
from edgecnn.command import BROKEN, DEBUG
from edgecnn.streams import quiet

TEMPORARY = tempfile.gettempdir()


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """Words of a check that fails its gate: noise, all of it called a zero."""
    path = tmp_path_factory.mktemp("noise") / "noise.npz"
    noise = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
    np.savez(path, images=noise, labels=np.zeros(40, np.int64))
    return ("check", SHIPPED, path)


def draw(path: Path) -> None:
    """Write a picture of a stroke."""
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 12:15] = 255
    Image.fromarray(picture).save(path)


def status(words: tuple[object, ...], **options: object) -> tuple[int, str]:
    """The exit status of the command, and what it says on stderr."""
    command = [sys.executable, "-m", "edgecnn", *map(str, words)]
    done = subprocess.run(command, check=False, **({"stderr": subprocess.PIPE, "text": True} | options))
    return done.returncode, done.stderr or ""


@pytest.fixture
def unread() -> int:
    """The end of a pipe that nobody reads any more, as `| head -1` leaves it."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_a_failed_gate_fails_when_nobody_reads_why(failing: tuple[object, ...], unread: int) -> None:
    assert status(failing, stdout=unread) == (1, "")
    assert status(failing, stdout=unread, stderr=unread) == (1, "")
    assert status(("info",), stdout=unread) == (0, "")
    assert status(("--help",), stdout=unread) == (0, "")
    assert status(("info", "none"), stdout=unread, stderr=unread) == (2, "")


def test_what_cannot_be_written_is_told_and_no_success(failing: tuple[object, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        assert status(("info",), stdout=full) == (2, "error: stdout: No space left on device\n")
        assert status(failing, stdout=full)[0] == 1
        assert status(failing, stdout=full, stderr=full)[0] == 1
        assert status(("info", "none"), stderr=full)[0] == 2


def test_a_stream_ends_when_nobody_reads_it(tmp_path: Path) -> None:
    """A folder never ends by itself: without a reader there is no sense in going on."""
    with subprocess.Popen(
        [sys.executable, "-m", "edgecnn", "watch", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as watch:
        for name in ("1.png", "2.png"):
            draw(tmp_path / name)
        assert watch.stdout is not None
        assert json.loads(watch.stdout.readline())["frame"]
        watch.stdout.close()
        draw(tmp_path / "3.png")
        draw(tmp_path / "4.png")
        assert watch.wait(timeout=60) == 0
        assert watch.stderr is not None
        assert b"Traceback" not in watch.stderr.read()


@pytest.mark.parametrize("closed", [(1,), (0, 1, 2)])
def test_closed_streams_are_no_error(failing: tuple[object, ...], closed: tuple[int, ...]) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    options = {"preexec_fn": close, "stdout": subprocess.DEVNULL}
    assert status(failing, **options) == (1, "")
    assert status(("watch", "-"), stdin=subprocess.DEVNULL, **options)[0] == 0
    assert status(("info", "none"), **options)[0] == 2


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_a_terminal_of_few_letters_gets_what_it_has(encoding: str, tmp_path: Path) -> None:
    picture = tmp_path / "é.png"
    draw(picture)
    environment = os.environ | {"PYTHONIOENCODING": encoding}

    def output_of(*words: object) -> str:
        command = [sys.executable, "-m", "edgecnn", *map(str, words)]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode(encoding)

    assert "N,..." in output_of("bench", "--help") or encoding == "cp1252"
    head, line, row = output_of("classify", picture).splitlines()
    assert set(line) == {"-", " "}
    assert head.index("label") == line.index(" -") + 1 == len(line.split()[0]) + 2
    assert row.index(".png") + len(".png") == len(line.split()[0])
    assert json.loads(output_of("classify", picture, "--json"))[0]["image"] == str(picture)


def test_a_name_that_is_not_utf8_is_told_so_that_the_file_is_found(tmp_path: Path) -> None:
    name = b"caf\xe9.png"
    picture = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
    draw(picture)
    answers = json.loads(run("edgecnn", "classify", picture, "--json").stdout)
    assert os.fsencode(answers[0]["image"]).endswith(name)
    done = run("edgecnn", "watch", tmp_path, "--frames", 1)
    assert done.returncode == 0, done.stderr
    assert os.fsencode(json.loads(done.stdout)["frame"]) == name
    head, line, _ = run("edgecnn", "classify", picture).stdout.splitlines()
    assert head.index("label") == len(line.split()[0]) + 2
    refused(run("edgecnn", "info", picture), "caf\\udce9.png is neither")


def test_quiet_needs_no_place_for_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with quiet() as printed:
        print("of Python")
        os.write(1, b"of native code\n")
        os.write(2, b"an error\n")
        sys.stdout.flush()
        assert sorted(printed().splitlines()) == ["an error", "of Python", "of native code"]
    monkeypatch.delattr(os, "memfd_create")
    with quiet() as printed:
        print("lost")
        assert printed() == ""


def test_a_fault_of_our_own_is_no_failed_gate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        return {}["nothing"]  # type: ignore[no-any-return]

    monkeypatch.setattr(edgecnn.info, "run", broken)
    assert main(["info"]) == BROKEN == 70
    errors = capsys.readouterr().err
    assert errors.startswith("error: KeyError: 'nothing' (at cli.py:")
    assert "please report this line and the command" in errors
    assert errors.count("\n") == 1
    monkeypatch.setenv(DEBUG, "1")
    assert main(["info"]) == BROKEN
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "memory ran out"),
        (KeyboardInterrupt(), "interrupted"),
        (OSError(28, "No space left on device", "out.bin"), "out.bin: No space left"),
        (
            PermissionError(13, "Permission denied", f"{TEMPORARY}/peak"),
            f"{TEMPORARY}/peak: Permission denied: if its file system forbids programs (noexec), set TMPDIR",
        ),
        (SystemExit("a library ends"), "a library ends"),
    ],
)
def test_what_ends_a_command_is_told_in_a_line(
    error: BaseException, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends(_: object) -> int:
        raise error

    monkeypatch.setattr(edgecnn.info, "run", ends)
    assert main(["info"]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"error: {words}")
    assert errors.count("\n") == 1


def test_warnings_name_the_caller_and_are_lines_at_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.tflite").write_bytes(SHIPPED.read_bytes())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Classifier(tmp_path)
    assert [Path(warning.filename).name for warning in caught] == [Path(__file__).name]
    draw(tmp_path / "digit.png")
    assert main(["classify", str(tmp_path / "digit.png"), "--model", str(tmp_path)]) == 0
    errors = capsys.readouterr().err
    (line,) = [line for line in errors.splitlines() if not line.startswith("INFO")]
    assert line.startswith(f"warning: {tmp_path} is not tuned for this device: taking model.tflite")
