"""The table "to add something" of CONTRIBUTING.md: its places exist, and a toy row of a kind is all that is needed.

Others hold the rest: a toy engine is in test_engines.py, commands in test_commands.py and test_readme.py.
"""

import argparse
import ast
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT, run

import convert.c.ops
from benchmarks.readme import BLOCKS, RESULTS, Block, filled
from convert.c.operators import LOWERINGS
from convert.c.plan import Plan
from convert.options import add_quantization_options
from convert.variant import PLAIN, VARIANTS
from edgecnn.modelfile import read_model

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
ROWS = re.findall(r"^\| (an? .*?) \| (.*) \|$", TEXT, re.MULTILINE)
PLACEHOLDERS = re.compile("NAME|CPU")  # for what the author chooses


def test_the_table_is_read() -> None:
    assert len(ROWS) == TEXT.count("\n| ") - 2  # without its head


@pytest.mark.parametrize(("kind", "places"), ROWS, ids=[kind for kind, _ in ROWS])
def test_the_places_of_a_kind_exist(kind: str, places: str) -> None:
    spans = re.findall(r"`@?([^` ]+)`", places)
    assert spans
    for span in spans:
        if "/" in span:
            assert list(ROOT.glob(PLACEHOLDERS.sub("*", span))), span
        elif "." in span:
            assert has_name(*span.rpartition(".")[::2]), span


def has_name(module: str, name: str) -> bool:
    """Whether a module defines a name at its top level."""
    base = (ROOT / "runtime" if module.startswith("edgecnn") else ROOT).joinpath(*module.split("."))
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return name in names


def test_a_recipe_a_data_set_and_a_rewrite_are_rows(tmp_path: Path) -> None:
    """Toy ones: the command trains by the recipe on the data set, and a conversion could name the rewrite."""
    done = run(ROOT / "tests/toys.py", "--recipe", "toy", "--dataset", "toy", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = read_model(tmp_path / "model.keras").manifest
    assert manifest.training is not None
    assert (manifest.name, manifest.labels, manifest.training.recipe) == ("toy", ("dark", "light"), "toy")
    assert json.loads(done.stdout.splitlines()[-1]) == ["toy: nothing at all"]


def test_a_quantization_is_a_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    toy = replace(PLAIN, quantize="toy", words="as a child would")
    monkeypatch.setitem(VARIANTS, "tflite:toy", toy)
    parser = argparse.ArgumentParser()
    add_quantization_options(parser, "tflite")
    assert parser.parse_args(["--quantize", "toy"]).quantize == "toy"
    assert "toy: as a child would" in " ".join(parser.format_help().split())
    assert toy.file_name == "model_toy.tflite"


TOY_OPERATOR = """
from convert.c.operators import lowers

@lowers("TOY")
def toy(plan, operator):
    plan.steps.append("toy")
"""


def test_an_operator_in_c_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package imports all files of its folder, to which the test adds another one."""
    (tmp_path / "toy.py").write_text(TOY_OPERATOR)
    monkeypatch.setattr(convert.c.ops, "__path__", [*convert.c.ops.__path__, str(tmp_path)])
    monkeypatch.setitem(LOWERINGS, "TOY", None)  # so that it is removed afterwards
    exec(Path(convert.c.ops.__file__).read_text(), dict(vars(convert.c.ops)))
    del sys.modules["convert.c.ops.toy"]
    plan = Plan.__new__(Plan)
    plan.steps = []
    LOWERINGS["TOY"].lower(plan, None)
    assert plan.steps == ["toy"]


def test_a_board_is_a_row() -> None:
    """The row is written into the source, as a contributor does."""
    source = (ROOT / "workstation/boards.py").read_text()
    row = 'TABLE = (Board("toy", "Toy Rev 1", _BOOKWORM, _A53, target="toy-bookworm", counted=True),'
    assert source.count("TABLE = (") == 1
    names: dict[str, object] = {"__name__": "workstation.boards"}
    exec(source.replace("TABLE = (", row), names)
    assert "toy" in names["EMULATED"]
    assert "toy" in names["COUNTED"]
    assert names["TARGETS"]["toy-bookworm"].library == "linux-aarch64"


def test_a_table_of_results_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    block = Block(RESULTS, ("demo.json",), lambda document: f"toy of {len(document)} entries\n")
    monkeypatch.setitem(BLOCKS, "toy", block)
    page = (ROOT / RESULTS).read_text() + "<!-- toy -->\nold\n<!-- end of toy -->\n"
    assert re.search(r"<!-- toy -->\ntoy of \d+ entries\n<!-- end of toy -->\n$", filled(RESULTS, page, ROOT))
