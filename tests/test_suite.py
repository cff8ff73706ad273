"""The suite: its files are built once, each engine has a row, the words say what limits a network."""

import ctypes
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import run

from benchmarks.elf import code_bytes
from benchmarks.library import library_of
from benchmarks.suite.build import build, forget_unused, key, once
from benchmarks.suite.floor import floor, words, work_of
from benchmarks.suite.keras_files import IMAGES
from benchmarks.suite.measurement import measured
from benchmarks.suite.older_cpu import make_older
from benchmarks.suite.tables import BOARDS_HEAD, HEAD, board_cells, cells, notes, tuned_cells
from benchmarks.turns import ratio
from edgecnn import SHIPPED
from edgecnn.child_process import in_child
from edgecnn.command import WRONG_INPUT
from edgecnn.dataset_reading import read_answered
from edgecnn.modelfile import read_model


def test_a_folder_is_filled_once_and_whole(tmp_path: Path) -> None:
    calls = []

    def fill(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").write_text("content")

    def fail(folder: Path) -> None:
        (folder / "half").write_text("content")
        raise ValueError

    assert once(tmp_path / "built", fill) == once(tmp_path / "built", fill) == tmp_path / "built"
    assert len(calls) == 1
    with pytest.raises(ValueError):
        once(tmp_path / "broken", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["built"]


def test_a_key_follows_names_content_and_words(tmp_path: Path) -> None:
    (one := tmp_path / "one").write_text("same")
    (other := tmp_path / "other").write_text("same")
    assert len({key([one]), key([other]), key([one], "word"), key([one, other])}) == 4
    before = key([one])
    one.write_text("changed")
    assert key([one]) != before


def test_the_work_of_the_model_in_the_wheel() -> None:
    """It is the reference network, rewritten: 1x1 or 2x2 patches first, then 9x9x64x(3x3x64) and so on."""
    work = work_of(read_model(SHIPPED).data)
    assert work.macs["dense"] == 576 * 64 + 64 * 10
    assert 2_000_000 < work.total_macs < 3_000_000
    assert 93_322 - 1000 < work.weight_bytes < 2 * 93_322  # parameters of one byte, biases of four
    least = floor(work, peak_per_ns=100.0, bytes_per_ns=50.0)
    assert least.us == least.arithmetic_us == pytest.approx(work.total_macs / 100_000)
    assert floor(work, None, 50.0).us == least.memory_us
    sentence = words(work, least, "native", 2 * least.us)
    assert sentence.startswith("arithmetic sets the floor")
    assert "native takes" in sentence
    assert ", 2.0 times the floor" in sentence


def test_a_ratio_lies_in_its_interval() -> None:
    theirs = np.random.default_rng(0).uniform(9, 11, 40)
    middle, low, high = ratio(theirs / 2, theirs)
    assert low <= middle <= high
    assert middle == pytest.approx(0.5)


def kernels_of_older_cpu(model: Path) -> str:
    """The kernels that a library chooses, in a process that was shown an older CPU."""
    make_older("native", model)
    library = library_of(model)
    kernels = getattr(ctypes.CDLL(str(library.path)), f"{library.symbol}_kernels")
    kernels.restype = ctypes.c_char_p
    return kernels().decode()


@pytest.mark.slow
def test_every_engine_has_a_row_or_a_reason(tmp_path: Path) -> None:
    """On the smallest network, built from Keras to C."""
    files = build("narrow", home=tmp_path)
    assert files.refusal == ""
    before = {path.name for path in tmp_path.iterdir()}
    assert build("narrow", home=tmp_path) == files
    assert {path.name for path in tmp_path.iterdir()} == before
    manifest = read_model(files.keras / "model.keras").manifest
    assert len(read_answered(files.keras / "evaluation.npz", manifest)) == IMAGES["evaluation"]
    without_onnx = replace(files, onnx=None)
    rows = {row.engine: row for row in measured(without_onnx, ("native", "litert", "onnx"), 1, [0], 2, 0.0)}
    native, litert = rows["native"], rows["litert"]
    assert native.call_us
    assert native.predict_us
    assert litert.call_ratio == (1.0, 1.0, 1.0)
    library = library_of(files.tflite)
    assert native.arena_bytes == library.arena
    assert 0 < code_bytes(library.path.read_bytes()) == native.code_bytes < library.path.stat().st_size
    assert rows["onnx"].reason == "the network has no int8 ONNX"
    if {"avx2", "avx512_vnni"} <= set(Path("/proc/cpuinfo").read_text().split()):
        older = measured(files, ("native", "litert"), 1, [0], 1, 0.0, older=True)
        assert all(row.call_us and row.older for row in older)
        assert in_child(kernels_of_older_cpu, files.tflite) == "avx2"
    refused = measured(replace(files, refusal="there is no C for WHILE"), ("native",), 1, [0], 1, 0.0)
    assert [row.reason for row in refused] == ["there is no C for WHILE"]


def test_folders_that_nobody_used_for_a_month_are_removed(tmp_path: Path) -> None:
    for name in ("used", "unused"):
        once(tmp_path / name, lambda folder: (folder / "file").touch())
    os.utime(tmp_path / "unused", (0, 0))
    forget_unused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["used"]


def test_the_words_of_the_tables() -> None:
    ratios = {"call_ratio": (0.5, 0.4, 0.6), "predict_ratio": (0.7, 0.6, 0.8)}
    timed = {"engine": "native", "threads": 1, "call_us": 10.0, "predict_us": 11.0, "of_peak": 0.5, "reason": ""}
    refused = dict.fromkeys(("call_us", "predict_us", "call_ratio", "predict_ratio", "arena_bytes", "code_bytes"))
    refused |= {"engine": "onnx", "threads": 2, "of_peak": None, "reason": "it is not there"}
    rows = [timed | ratios | {"arena_bytes": 1024, "code_bytes": 20_000}, refused]
    section = {
        "network": "tiny",
        "limit": "arithmetic sets the floor",
        "rows": rows,
        "tuned": [
            {"engine": "native", "model": "a.tflite", "threads": 2, "p50_us": 5.0, "chosen": True},
            {"engine": "native", "model": "a.tflite", "threads": 1, "p50_us": 6.0, "chosen": False},
            {"engine": "litert", "model": "a.tflite", "threads": 1, "p50_us": 9.0, "chosen": False},
            {"engine": "onnx", "model": "a.onnx", "threads": 1, "failure": "it differs", "chosen": False},
        ],
        "boards": {"pi4": {"native": 500_000, "litert": 1_000_000}, "pi3": {"litert": 1_000_000}},
    }
    expected = ("tiny", "native", "1", "10.0", "11.0", "50%", "0.50", "0.40 to 0.60", "0.70", "1,024", "20,000")
    assert cells(section, rows[0]) == expected
    assert cells(section, rows[0] | {"older": True})[1] == "native, AVX2"
    assert cells(section, rows[1]) == ("tiny", "onnx", "2", *["–"] * (len(HEAD) - 3))
    assert board_cells(section) == [("tiny", "pi4", "500", "1,000", "0.50"), ("tiny", "pi3", "–", "1,000", "–")]
    assert len(BOARDS_HEAD) == len(board_cells(section)[0])
    assert tuned_cells(section) == [("tiny", "native", "a.tflite", "2", "5.0", "litert", "9.0")]
    assert tuned_cells(section | {"tuned": section["tuned"][2:]}) == []
    assert notes(section) == ["tiny: arithmetic sets the floor.", "tiny: no onnx with 2: it is not there"]


@pytest.mark.parametrize("wrong", [["tpu_net"], ["--engines", "tpu"], ["--boards", "pi9"]], ids=str)
def test_mistakes_are_reported_before_anything_is_built(wrong: list[str]) -> None:
    done = run("benchmarks.suite", *wrong)
    assert done.returncode == WRONG_INPUT
    assert f"'{wrong[-1]}': choose" in done.stderr
