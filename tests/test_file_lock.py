"""A file that several processes change loses nothing, and nobody waits for ever."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.file_lock import locked

ADD = """
import json, sys
from pathlib import Path
from edgecnn.file_lock import locked
from edgecnn.files import write_file
path = Path(sys.argv[1])
for number in range(20):
    with locked(path):
        known = json.loads(path.read_bytes()) if path.exists() else []
        write_file(path, json.dumps([*known, number]).encode())
"""


def test_a_file_that_four_processes_change_at_once_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    running = [subprocess.Popen([sys.executable, "-c", ADD, path]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert sorted(json.loads(path.read_bytes())) == sorted([*range(20)] * 4)
    assert [file.name for file in tmp_path.iterdir()] == ["models.json"]  # neither a lock nor a temporary file stays


HOLD = """
import sys, time
from pathlib import Path
from edgecnn.file_lock import locked
with locked(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(600)
"""


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    with locked(path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    wrong = pytest.raises(EdgecnnError, match=r"models\.json cannot be changed: its folder cannot be written")
    with wrong, locked(tmp_path / "file" / "models.json"):
        raise AssertionError("it is not locked")


def test_a_lock_that_is_held_too_long_is_named_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        words = rf"models\.json has been locked for 0\.1 seconds by process {process.pid} on .*: wait for it, or"
        with pytest.raises(EdgecnnError, match=words), locked(path, patience=0.1):
            raise AssertionError("it was locked twice")
        process.kill()
