"""Every option of every command, with values that people give by mistake: a line and status 2, or the command runs."""

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import main_of, refused, run
from parsers import collect, sub_parser
from test_commands import COMMANDS, SUBCOMMANDS

from deploy import install
from edgecnn import SHIPPED
from edgecnn.cli import main
from edgecnn.modelfile import pack_model, read_model
from edgecnn.shipped import model_path

EMPTY, HUGE = "", "9" * 5000
VALUES = (
    EMPTY,
    "-1",
    "0",
    "1.5",
    "nan",
    "inf",
    "1e999",
    "9" * 30,
    HUGE,
    "1,2,",
    "٣",
    "ünï 猫",
    "caf\udce9",
    "\0",
)
# What of these a number may be, by its option; of those that are not here, none.
FINE = {
    "seed": {"0"},
    "seeds": {"0"},
    "core": {"0"},
    "max_drop": {"0"},
    "threshold": {"0"},
    "reject": {"0"},
    "duration": {"1.5"},
    "drift": {"0"},
    "floor": {"0"},
    "hold": {"0", "1.5"},
    "queue": {"0"},
    "port": {"0"},
    "fps": {"1.5"},
    "learning_rate": {"1.5"},
    "width": {"1.5"},
    "timeout": {"1.5"},
    "seconds": {"0", "1.5"},
    "pixel_scale": {"-1", "1.5"},
    "pixel_offset": {"-1", "0", "1.5"},
}
# What words and paths may not be.
NEVER = {"word": {EMPTY}, "path": {EMPTY, "\0"}, "anything": set[str]()}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[argparse.ArgumentParser]:
    """The parsers that commands used."""
    return collect(monkeypatch)


def options_of(parser: argparse.ArgumentParser) -> Iterator[tuple[list[str], argparse.Action, list[str]]]:
    """The words before and behind a value of every option: what else the command requires."""
    actions = [action for action in parser._actions if action.nargs != 0]
    needed = {action.dest: needs(action) for action in actions}
    for action in actions:
        others = [word for dest, words in needed.items() if dest != action.dest for word in words]
        yield others, action, [*action.option_strings[-1:]]


def needs(action: argparse.Action) -> list[str]:
    """The words that a parser demands for an option."""
    value = str(next(iter(action.choices))) if action.choices else "given"
    if action.option_strings:
        return [action.option_strings[-1], value] if action.required else []
    return [] if action.nargs in ("?", "*", argparse.REMAINDER) else [value]


def kind_of(action: argparse.Action) -> str:
    if action.choices:
        return "choice"
    return {None: "word", Path: "path", model_path: "path", str: "anything"}.get(action.type, "number")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if name != "edgecnn"] + [f"edgecnn {name}" for name in SUBCOMMANDS]
)
def test_an_option_takes_what_fits_and_refuses_the_rest_in_a_line(
    name: str, parsed: list[argparse.ArgumentParser], capsys: pytest.CaptureFixture[str]
) -> None:
    run_words, first = main_of(name.split(maxsplit=1)[0]), name.split()[1:]
    run_words([*first, "given"])
    for others, action, option in options_of(sub_parser(parsed[-1], first)):
        accepted = {value for value in VALUES if fine(run_words, [*first, *others, *option, value], capsys)}
        kind, where = kind_of(action), f"{name} {action.dest}"
        if kind in NEVER:
            assert not NEVER[kind] & accepted, where
        else:
            assert accepted == (FINE.get(action.dest, set()) if kind == "number" else set()), where


def fine(run_words: Callable[[list[str]], int], words: list[str], capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether a command takes its words; if not, it must end as it should."""
    capsys.readouterr()
    status = run_words(words)
    errors = capsys.readouterr().err
    if status != 2:
        assert (status, errors) == (0, "")
        return True
    assert errors.startswith("error: "), errors
    assert errors.count("\n") == 1, errors
    assert len(errors) < 500, errors
    return False


# Names of nothing, and of files and folders that are not what they should be.
WRONG_NAMES = ("ünï 猫", "caf\udce9", "x" * 5000, "folder", "text.txt", "/dev/null")
READ = (
    ("info", "{}"),
    ("classify", "{}"),
    ("classify", "--model", "{}", "digit.png"),
    ("check", "{}", "folder"),
    ("check", SHIPPED, "{}"),
    ("golden", "{}"),
    ("bench", "{}"),
    ("tune", "{}"),
    ("tune", "models", "--data", "{}"),
    ("watch", "{}", "--size", "28x28"),  # a folder would never end
    ("watch", "-", "--model", "{}"),
)


@pytest.mark.parametrize("words", READ, ids=lambda words: " ".join(map(str, words[:3])))
def test_what_is_named_and_is_not_what_it_should_be_gets_a_line(
    words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("models").mkdir()
    shutil.copy(SHIPPED, "models/model.tflite")
    Path("text.txt").write_text("text")
    for name in WRONG_NAMES:
        assert not fine(main, [str(word).format(name) for word in words], capsys), name


def test_a_network_of_other_classes_is_not_compared(trained: Path, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["answer"]),
    ]
    ends = [
        helper.make_tensor_value_info("image", TensorProto.UINT8, (1, 28, 28, 1)),
        helper.make_tensor_value_info("answer", TensorProto.FLOAT, (1, 3)),
    ]
    weights = numpy_helper.from_array(np.zeros((784, 3), np.float32), "weights")
    graph = helper.make_graph(nodes, "three", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    known = read_model(trained / "model_float32.onnx").manifest
    none = dict.fromkeys(("agreement", "reported", "baseline", "reference"))
    manifest = replace(known, name="three", labels=("a", "b", "c"), **none)
    (tmp_path / "three.onnx").write_bytes(pack_model(model.SerializeToString(), manifest))
    ours = trained / "model_int8.tflite"
    refused(run("convert.verify", f"{trained / 'model.keras'}@litert", ours), "leave @litert out")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/saved_model.pb").touch()
    refused(run("convert.verify", f"{tmp_path / 'saved'}@litert", ours), "leave @litert out")
    refused(run("convert.verify", ours, tmp_path / "three.onnx"), "10 classes", "3: compare models of the same classes")
    refused(
        run("convert.verify", tmp_path / "three.onnx", ours, "--data", trained / "validation.npz"),
        "labels from 0 to 9; the model's are 0 to 2",
    )


def test_an_installer_wants_the_name_of_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """It runs without edgecnn, and so with a parser of its own."""
    with pytest.raises(SystemExit) as end:
        install.run(["--to", ""])
    assert end.value.code == 2
    assert "no folder is named" in capsys.readouterr().err
