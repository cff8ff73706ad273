"""What convolutions in C take at once: chosen by a rule, searched, or named by a file."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import refused, run

from convert.c import c_text
from convert.c.lowering import lower
from convert.c.network import read_network
from convert.c.tile_search import _alternatives, _bests, _together
from convert.c.tiles import NO_TILES, Tile, Tiles, read_tiles, tiles_text
from edgecnn import SHIPPED, EdgecnnError
from edgecnn.modelfile import read_model

LAYER = "layer_conv2d_4"


def c_of(tiles: Tiles) -> str:
    model = read_model(SHIPPED)
    plan = lower("shipped", read_network("shipped", model.data), tiles)
    return c_text.source(c_text.Names.of("shipped"), plan, model.manifest)


def test_a_file_of_tiles_gives_the_c_of_the_search(tmp_path: Path) -> None:
    tiles = {LAYER: Tile(band=2, blocks=2)}
    path = tmp_path / "x.tiles.json"
    path.write_text(tiles_text(tiles, {"kernels": "portable"}))
    assert read_tiles(path) == tiles
    searched, by_rule = c_of(tiles), c_of(NO_TILES)
    assert c_of(read_tiles(path)) == searched != by_rule


@pytest.mark.parametrize(
    ("tiles", "words"),
    [
        ({LAYER: Tile(blocks=5)}, "the tiles have blocks 5 for 'layer_conv2d_4', where 1, 2, 3, 4 fit"),
        ({LAYER: Tile(rows=2)}, "the tiles have rows 2"),
        ({"layer_softmax": Tile()}, "the tiles name 'layer_softmax', which is no convolution of shipped"),
        ({"layer_of_others": Tile()}, "the tiles name 'layer_of_others'"),
    ],
)
def test_tiles_that_do_not_fit_are_refused(tiles: Tiles, words: str) -> None:
    with pytest.raises(EdgecnnError, match=words):
        c_of(tiles)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"tiles": 1}',
        '{"tiles": {"a": 1}}',
        '{"tiles": {"a": {"b": 1}}}',
        '{"tiles": {"a": {"rows": 0}}}',
        '{"tiles": {"a": {"rows": true}}}',
        '{"tiles": {"a": {"rows": 1e9}}}',
        "[" * 100_000,
        '"\\ud800"',
    ],
)
def test_a_file_that_holds_no_tiles_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(EdgecnnError, match=r"x\.json holds no tiles"):
        read_tiles(path)


def test_the_best_numbers_are_put_together() -> None:
    faster = [Tile(blocks=2), Tile(band=4), Tile(blocks=3), Tile(rows=6)]
    assert _together(faster) == Tile(band=4, blocks=2)


def test_layers_that_are_one_step_in_bands_are_searched_too() -> None:
    first = SimpleNamespace(name="first", tile_choices={"rows": [1, 2], "blocks": [3]})
    second = SimpleNamespace(name="second", tile_choices={"band": [4, 5, 6]})
    steps = [SimpleNamespace(parts=(first, second))]
    assert list(_alternatives(steps)) == [
        {"first": Tile(rows=2)},
        {"second": Tile(band=5)},
        {"second": Tile(band=6)},
    ]
    variants = [NO_TILES, {"first": Tile(rows=2)}, {"second": Tile(band=5)}, {"second": Tile(band=6)}]
    single, together = _bests(steps, variants, np.array([[10.0], [9.0], [9.9], [8.0]]))
    assert single == {"second": Tile(band=6)}
    assert together == {"first": Tile(rows=2), "second": Tile(band=6)}


@pytest.mark.slow  # it compiles
def test_a_search_is_written_and_used_again(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    shutil.copy(SHIPPED, path)
    done = run("convert.c", path, "--tune-tiles", "--build", "host")
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "model.tiles.json").read_text())
    assert document["rule_us"] >= document["tuned_us"] > 0
    again = run("convert.c", path, "--tiles", tmp_path / "model.tiles.json", "--output", tmp_path / "again/model.c")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again/model.c").read_bytes() == (tmp_path / "model.c").read_bytes()


def test_a_search_without_a_compiler_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.tflite"
    shutil.copy(SHIPPED, path)
    (tmp_path / "ziglang.py").write_text('raise SystemExit("No module named ziglang")')
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    refused(run("convert.c", path, "--tune-tiles"), "the compiler is not installed: pip install ziglang")
    refused(run("convert.c", path, "--tiles", tmp_path / "nothing.json"), "nothing.json cannot be read")
    assert not (tmp_path / "model.c").exists()
