"""What kills an engine, or takes all it can get, does so in a process of its own."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgecnn import PICTURE, SHIPPED, EdgecnnError
from edgecnn.child_process import DiedError, Limits, in_child
from edgecnn.cli import main
from edgecnn.model_opening import _note, open_model, try_in_child
from edgecnn.modelfile import read_model


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what passed is noted."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/edgecnn/opened"


def test_a_process_that_gives_no_answer_is_ended() -> None:
    with pytest.raises(DiedError, match=r"no answer in 1\.5 s"):
        in_child(time.sleep, 600, limits=Limits(1.5, 100))


def test_a_process_gets_no_more_memory_than_it_may_have() -> None:
    assert in_child(bytes, 1_000_000, limits=Limits(60, 100)) == bytes(1_000_000)
    with pytest.raises(MemoryError):
        in_child(bytearray, 150_000_000, limits=Limits(60, 100))


def test_a_process_starts_programs_as_its_parent_does() -> None:
    assert in_child(os.getenv, "PYTHONSAFEPATH") == os.getenv("PYTHONSAFEPATH")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 cannot leave the working folder off the path")
def test_a_module_beside_a_model_does_not_run_in_the_process_that_tries_it(tmp_path: Path) -> None:
    for name in ("multiprocessing", "pickle", "numpy", "edgecnn"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')")
    shutil.copy(SHIPPED, tmp_path / "model.tflite")
    words = [Path(sys.executable).with_name("edgecnn"), "classify", "--model", "model.tflite", PICTURE]
    shutil.copy(SHIPPED.with_name(PICTURE), tmp_path)
    environment = {**os.environ, "XDG_STATE_HOME": os.devnull}
    ended = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, (tmp_path / "ran").exists()) == (0, False), ended.stderr


def test_a_file_is_tried_once_and_noted_by_its_hash_and_engine(trained: Path, notes: Path) -> None:
    path = trained / "model_int8.tflite"
    for _ in range(2):
        with open_model(path, "tflite") as classifier:
            assert classifier.engine == "tflite"
    with open_model(path, "litert"):
        pass
    seal = path.read_bytes()[-64:].decode()
    assert notes.read_text().splitlines() == [f"{seal} tflite", f"{seal} litert"]


def test_what_is_noted_is_not_tried_again(trained: Path, notes: Path) -> None:
    model = read_model(trained / "model_int8.tflite")
    notes.parent.mkdir(parents=True)
    notes.write_text(f"{model.data[-64:].decode()} nonsense\n")
    try_in_child(model, "nonsense")
    with pytest.raises(EdgecnnError, match="there is no engine 'other'"):
        try_in_child(model, "other")
    assert len(notes.read_text().splitlines()) == 1  # what failed is not noted


def test_the_model_of_the_package_needs_no_trial(notes: Path) -> None:
    with open_model(SHIPPED):
        assert not notes.exists()


def test_where_nothing_can_be_noted_the_file_is_tried_all_the_same(trained: Path, notes: Path) -> None:
    notes.parent.parent.write_bytes(b"a file where the folder should be")
    for _ in range(2):
        with open_model(trained / "model_int8.tflite", "litert") as classifier:
            assert classifier.batch == 1


def test_the_working_folder_is_not_asked_what_passed(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_model(trained / "model_int8.tflite")
    (tmp_path / "here/edgecnn").mkdir(parents=True)
    (tmp_path / "here/edgecnn/opened").write_text(f"{model.data[-64:].decode()} nonsense\n")
    monkeypatch.chdir(tmp_path)
    for name, value in (("XDG_STATE_HOME", "here"), ("XDG_STATE_HOME", "~nobody-of-this-name")):
        monkeypatch.setenv(name, value)
        with pytest.raises(EdgecnnError, match="there is no engine 'nonsense'"):
            try_in_child(model, "nonsense")


def test_what_two_processes_pass_at_once_is_noted_once(notes: Path) -> None:
    for _ in range(2):
        _note(notes, "a hash and an engine")
    assert notes.read_text() == "a hash and an engine\n"


@pytest.mark.parametrize(
    "words", [["info", "{}"], ["classify", "{}"], ["check", "{}", "{}"], ["watch", "{}"], ["bench", "{}"]]
)
@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_a_pipe_or_device_is_refused_by_every_command(tmp_path: Path, words: list[str], name: str) -> None:
    path = tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
    assert main([word.format(path) for word in words]) == 2
