"""Doctor turns every known way to fail into a sentence and a command."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import refused, run

from edgecnn.child_process import DiedError, in_child
from edgecnn.device import describe
from edgecnn.doctor import _command, examine, screen
from edgecnn.engine_findings import Finding, broken, dead, missing
from edgecnn.engines import ENGINES, packaged
from edgecnn.errors import EdgecnnError

HERE = describe()
PI_4 = replace(HERE, platform="linux", machine="aarch64", cpu="Cortex-A72", features=("NEON",), libc=("glibc", "2.36"))


def test_the_engines_here_work() -> None:
    done = run("edgecnn", "doctor", "--json")
    assert done.returncode == 0, done.stderr
    diagnosis = json.loads(done.stdout)
    assert {row["engine"] for row in diagnosis["engines"] if row["state"] == "works"} >= {"litert", "onnx"}
    assert diagnosis["command"] is None
    assert diagnosis["device"]["cores"] >= 1


def kill_myself(number: int) -> None:
    os.kill(os.getpid(), number)


def refuse() -> None:
    raise EdgecnnError("no")


def test_the_death_of_a_child_names_its_signal() -> None:
    assert in_child(abs, -3) == 3
    with pytest.raises(EdgecnnError, match="no"):
        in_child(refuse)
    with pytest.raises(DiedError, match="SIGILL"):
        in_child(kill_myself, int(signal.SIGILL))
    with pytest.raises(DiedError, match="exit status 3"):
        in_child(os._exit, 3)


def test_a_deadly_version_is_known_and_its_cure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", {"onnxruntime": "1.21.0"}.__getitem__)
    finding = dead(ENGINES["onnx"], PI_4, "SIGILL")
    assert finding.reason == (
        "SIGILL: onnxruntime 1.21.0 uses instructions (dot product) that this Cortex-A72 does not have"
        " (github.com/microsoft/onnxruntime/issues/23957)"
    )
    command = _command((finding,), PI_4)
    assert command is not None
    assert command.endswith("-m pip install 'onnxruntime>=1.22'")


@pytest.mark.parametrize(
    ("version", "features", "death", "reason"),
    [
        ("1.21.0", ("NEON",), "SIGSEGV", "SIGSEGV: it crashes: install another version"),
        ("1.21.0", ("NEON", "dot product"), "SIGILL", "SIGILL: it uses an instruction that this CPU (Cortex-A72)"),
        ("1.22.0", ("NEON",), "SIGILL", "SIGILL: it uses an instruction that this CPU (Cortex-A72)"),
        ("1.22.0", ("NEON",), "SIGKILL", "SIGKILL: it was killed, probably since memory ran out"),
    ],
)
def test_another_death_has_another_reason(
    monkeypatch: pytest.MonkeyPatch, version: str, features: tuple[str, ...], death: str, reason: str
) -> None:
    monkeypatch.setattr("importlib.metadata.version", {"onnxruntime": version}.__getitem__)
    finding = dead(ENGINES["onnx"], replace(PI_4, features=features), death)
    assert (finding.state, finding.version, finding.pip) == ("broken", version, ())
    assert finding.reason.startswith(reason)


@pytest.mark.parametrize(
    ("error", "cause", "cure"),
    [
        ("ImportError: /opt/numpy.so: failed to map segment from shared object", "(noexec): install elsewhere", ()),
        ("ImportError: numpy.core.multiarray failed to import", "built for numpy 1", ("numpy<2",)),
        ("AttributeError: _ARRAY_API not found", "built for numpy 1", ("numpy<2",)),
        ("ImportError: libopenblas.so.0: cannot open shared object file", "OpenBLAS", ("libopenblas0",)),
        ("OSError: /lib/libc.so.6: version `GLIBC_2.34' not found (required by x.so)", "Debian 12", ()),
        ("ImportError: x.so: cannot enable executable stack as shared object requires", "executable stack", ()),
        ("ModuleNotFoundError: No module named 'numpy'", "numpy is not installed", ("numpy",)),
        ("RuntimeError: something\nnew", "RuntimeError: something new", ()),
    ],
)
def test_a_failed_import_becomes_a_sentence(error: str, cause: str, cure: tuple[str, ...]) -> None:
    for finding in (
        broken(ENGINES["tflite"], [error]),
        broken(ENGINES["tflite"], ["SystemError: <built-in> returned a result with an exception set", error]),
    ):
        assert finding.state == "broken"
        assert cause in finding.reason
        assert (finding.pip or finding.apt) == cure


def test_the_output_of_an_engine_names_its_fault_too() -> None:
    finding = broken(ENGINES["tflite"], ["SystemError: x"], "A module that was compiled using NumPy 1.x cannot be run")
    assert "built for numpy 1" in finding.reason


@pytest.mark.slow
@pytest.mark.skipif(not ENGINES["tflite"].installed, reason="tflite-runtime has no wheel for this Python")
def test_numpy_2_under_an_engine_for_numpy_1_is_named(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--target", tmp_path, "numpy>=2"], check=True)
    done = run("edgecnn", "doctor", "--json", env={"PYTHONPATH": str(tmp_path)})
    (row,) = [row for row in json.loads(done.stdout)["engines"] if row["engine"] == "tflite"]
    assert (row["state"], row["pip"]) == ("broken", ["numpy<2"])
    assert row["reason"] == "it was built for numpy 1, and numpy 2 is installed"
    done = run("edgecnn", "classify", "--engine", "tflite", env={"PYTHONPATH": str(tmp_path)})
    refused(done, "tflite: numpy.core.multiarray failed to import")  # not what merely follows from it


@pytest.mark.parametrize(
    ("engine", "changes", "reason"),
    [
        ("tflite", {"python": "3.12.1"}, "tflite-runtime has no wheel for Python 3.12; its last is for 3.11"),
        ("litert", {"machine": "armv7l"}, "ai-edge-litert has no wheel for armv7l"),
        ("onnx", {"libc": ("musl", "")}, "onnxruntime has wheels for glibc alone, and this is musl"),
        ("litert", {"libc": ("glibc", "2.31")}, "ai-edge-litert needs glibc 2.34, and this is 2.31"),
    ],
)
def test_a_missing_wheel_has_a_reason(engine: str, changes: dict[str, object], reason: str) -> None:
    finding = missing(ENGINES[engine], replace(replace(PI_4, python="3.11.2"), **changes))
    assert (finding.state, finding.reason) == ("no wheel", reason)


def test_one_command_installs_the_best_engine() -> None:
    absent = tuple(missing(kind, replace(PI_4, python="3.13.5")) for kind in packaged())
    assert [finding.state for finding in absent] == ["not installed", "no wheel", "not installed"]
    command = _command(absent, PI_4)
    assert command is not None
    assert command.endswith("-m pip install 'ai-edge-litert>=2.3'")
    missing_library = Finding("onnx", "onnxruntime", "1.32.0", "broken", "", (), ("libgomp1",))
    assert _command((missing_library,), PI_4) == "sudo apt install -y libgomp1"
    numpy_2 = Finding("tflite", "tflite-runtime", "2.14.0", "broken", "", ("numpy<2",))
    narrow = replace(PI_4, machine="armv7l", python="3.11.2")
    for finding in (numpy_2, missing(ENGINES["tflite"], narrow)):  # pip's index has no numpy for it
        assert _command((finding,), narrow) == (
            "sudo apt install -y python3-numpy python3-pil && python3 -m venv --system-site-packages edge"
            " && edge/bin/pip install 'tflite-runtime>=2.14' edgecnn-*.whl"
        )
    works = Finding("litert", "ai-edge-litert", "2.3.0", "works")
    assert _command((works, absent[1]), PI_4) is None


def test_doctor_runs_where_numpy_does_not(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError(\"No module named 'numpy'\")")
    done = run("edgecnn", "doctor", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    assert "numpy is not installed" in done.stdout
    assert "-m pip install numpy" in done.stdout
    assert "Traceback" not in done.stderr
    other = run("edgecnn", "info", env={"PYTHONPATH": str(tmp_path)})
    assert other.returncode == 0 or "see edgecnn doctor" in other.stderr


def test_people_read_reasons_beneath_the_table() -> None:
    findings = (Finding("onnx", "onnxruntime", "1.0", "broken", "why"),)
    text = screen(replace(examine(), engines=findings, command="pip it"))
    assert "onnx: why" in text
    assert "install with:\n  pip it" in text
