"""Channels are removed from any classifier, and what is left answers as before where nothing listened to them."""

import json
from pathlib import Path

import pytest
from conftest import ROOT, refused, run
from PIL import Image

from edgecnn.device import describe
from edgecnn.escape import for_markdown
from edgecnn.modelfile import read_model
from train.shrink.search import Document, Tried, floor_report, largest, smallest

NETWORKS = ["reference", "resnet8", "ds_cnn", "mobilenet_v1", "mobilenet_v2", "joined", "nested", "swish", "hard_swish"]


@pytest.mark.slow
def test_removing_what_nothing_reads_changes_no_output() -> None:
    """Residual, depthwise and separable networks, branches, squeeze-and-excite, models inside, a flatten, a reshape.

    Half of the channels are removed; what they cost is what Keras counts.
    """
    done = run(ROOT / "tests/shrink_exact.py", *NETWORKS)
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [document["network"] for document in documents] == NETWORKS
    for document in documents:
        assert document["flattened"] == 0
        assert document["off"] < 1e-5 < document["spread"], document
        counted, small, whole = document["parameters"]
        assert counted == small < 0.6 * whole
        counted, small, whole = document["macs"]
        assert counted == small < 0.6 * whole


@pytest.mark.slow
def test_batch_normalization_comes_behind_a_pooling_and_goes_again() -> None:
    done = run(ROOT / "tests/shrink_normalization.py")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["order"][1:4] == ["conv2d", "max_pooling2d", "conv2d_shrink_norm"]
    assert max(document["begun"], document["folded"]) < 1e-5 < document["spread"]
    of_less, as_before = document["means"]
    assert of_less > 0.1
    assert as_before < 0.01


@pytest.mark.slow
def test_a_smaller_network_learns_what_its_parent_answers_to_the_images_as_an_epoch_shows_them() -> None:
    """Undistorted ones, distorted copies in turn, and photographs that every batch changes, mirrors and mixes."""
    done = run(ROOT / "tests/parent_teacher.py")
    assert done.returncode == 0, done.stderr
    distances = json.loads(done.stdout)
    assert list(distances) == ["tutorial", "small", "photos"]
    assert max(distances.values()) < 1e-3


@pytest.fixture(scope="module")
def shrunk(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("front")
    words = ("--budget", "macs=100k,params=6k", "--epochs", 2, "--recipe", "tutorial", "--output", output)
    done = run("train.shrink", trained / "model.keras", *words)
    assert done.returncode == 0, done.stderr
    assert "macs=100k,params=6k" in done.stdout
    return output


@pytest.mark.slow
def test_a_point_is_a_whole_folder_within_its_budget(trained: Path, shrunk: Path) -> None:
    (point,) = json.loads((shrunk / "front.json").read_text())["points"]
    folder = Path(point["folder"])
    assert point["macs"] <= 100_000
    assert point["parameters"] <= 6_000
    native = json.loads((folder / "model_int8.native.json").read_text())
    assert native["multiply_accumulates"] == point["macs"]
    parent, child = (read_model(place / "model.keras").manifest for place in (trained, folder))
    assert child.training is not None
    assert (child.training.parent_sha256, child.training.budget) == (parent.weights_sha256, "macs=100k,params=6k")
    assert read_model(folder / "model_int8.tflite").manifest.weights_sha256 == child.weights_sha256
    assert point["accuracy"]["validation"]["accuracy"] > 0.5  # ten classes: it learns
    assert {"model.keras", "calibration.npz", "validation.npz", "evaluation.npz"} <= {p.name for p in folder.iterdir()}
    page = (shrunk / "front.md").read_text()
    assert "macs=100k,params=6k" in page
    assert for_markdown(describe().cpu) in page  # where its microseconds were measured
    with Image.open(shrunk / "front.png") as opened:
        assert opened.size[0] > 600


@pytest.mark.slow
def test_fronts_stand_side_by_side_with_what_each_network_loses(shrunk: Path, tmp_path: Path) -> None:
    front = json.loads((shrunk / "front.json").read_text())
    (point,), parent = front["points"], front["parent"]["accuracy"]["evaluation"]
    done = run("benchmarks.fronts", shrunk, shrunk)
    assert done.returncode == 0, done.stderr
    *_, first, second = done.stdout.splitlines()
    assert first == second
    for figure in (f"{point['macs']:,}", f"{parent - point['accuracy']['evaluation']['accuracy']:.4f}"):
        assert figure in first
    refused(run("benchmarks.fronts", tmp_path), "no front.json", "name its front/")
    (tmp_path / "front.json").write_text('{"parent": 3}')
    refused(run("benchmarks.fronts", shrunk, tmp_path), "no front.json", "name its front/")


@pytest.mark.slow
def test_a_run_goes_on_only_with_the_same_options(trained: Path, shrunk: Path) -> None:
    words = ("--budget", "macs=100k,params=6k", "--recipe", "tutorial", "--output", shrunk, "--resume", "--json")
    model = shrunk / "macs-100k-params-6k/model.keras"
    before = model.stat().st_mtime_ns
    done = run("train.shrink", trained / "model.keras", *words, "--epochs", 2)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((shrunk / "front.json").read_text())
    assert model.stat().st_mtime_ns == before
    refused(run("train.shrink", trained / "model.keras", *words, "--epochs", 3), "other options", "--resume")
    settings = shrunk / "settings.json"
    whole = settings.read_bytes()
    settings.write_bytes(whole[:-20])
    refused(run("train.shrink", trained / "model.keras", *words, "--epochs", 2), "other options", "--resume")
    settings.write_bytes(whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "problems"),
    [
        (("--budget", "macs=1"), ("the smallest network that could be made takes macs=", "a larger budget")),
        (("--budget", "flash=10"), ("the smallest network that could be made takes flash=", "a larger budget")),
        (("--budget", "macs=5,watts=2"), ("is no budget", "flash=16k")),
        (("--budget", "macs=5k", "--floor", 0.5), ("--budget and --floor",)),
        (("--dataset", "mnist_of_nobody"), ("are not here", "--dataset FOLDER")),
        (("--resume",), ("nothing to resume",)),
    ],
    ids=lambda words: str(words[0]),
)
def test_bad_input_gets_a_line_and_writes_nothing(
    trained: Path, tmp_path: Path, words: tuple[object, ...], problems: tuple[str, ...]
) -> None:
    output = tmp_path / "front"
    refused(run("train.shrink", trained / "model.keras", *words, "--epochs", 1, "--output", output), *problems)
    assert not output.exists()


@pytest.mark.slow
def test_limits_that_only_a_conversion_tells_are_met() -> None:
    """By each method, alone and beside one that is counted; where none is as small, the smallest is named."""
    done = run(ROOT / "tests/shrink_within.py", "flash=200k", "flash=16k,macs=400k", "latency=5us", "flash=100")
    assert done.returncode == 0, done.stderr
    whole, both, fast, none = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    assert all(document["channels"] == [32, 64, 64, 64] for document in whole)
    assert all(0.8 * 16_000 < document["flash"] <= 16_000 and document["macs"] <= 400_000 for document in both)
    assert all(0.8 * 5 < document["latency"] <= 5 for document in fast)
    assert all("the smallest network that could be made takes flash=" in document["error"] for document in none)


def searched(least: float, points: int) -> list[Document]:
    """Points of a search where only shares of the work of `least` or more are accurate."""

    def make(name: str, share: float) -> Document:
        accuracy = {"validation": {"accuracy": 0.99 if share >= least else 0.9 + share / 100}}
        return {"name": name, "folder": name, "macs": round(1000 * share), "converted": True, "accuracy": accuracy}

    return list(smallest(points, 0.98, make))


def test_the_smallest_that_holds_a_floor_is_searched_by_halves_then_between() -> None:
    assert [point["macs"] for point in searched(0.2, 4)] == [500, 250, 125, 177]
    held, line = floor_report(searched(0.2, 4), 0.98)
    assert held
    assert "floor-2, 250 multiply-accumulates" in line


@pytest.mark.parametrize(("limit", "macs"), [(600, 500), (300, 280), (290, 260), (120, 100), (110, 100), (50, 100)])
def test_the_largest_within_a_measured_limit_takes_few_measurements(limit: int, macs: int) -> None:
    """Networks in steps of 20 from 100 to 500 multiply-accumulates, each with as much flash and 15 bytes more."""
    measured = []

    def attempt(most: float) -> Tried[str] | None:
        if most < 100:
            return None
        chosen = most // 20 * 20
        measured.append(chosen)
        return Tried(f"{chosen:.0f}", chosen, (chosen + 15) / limit)

    found = largest(Tried("500", 500, 515 / limit), attempt)
    assert (found.macs, found.share <= 1) == (macs, macs + 15 <= limit)
    assert len(set(measured)) <= 3


def test_a_floor_that_no_network_holds_names_the_best() -> None:
    held, line = floor_report(searched(1, 3), 0.98)
    assert not held
    assert line == "none holds 0.98 on validation: the best, floor-3, has 0.9084"
    refused = [point | {"converted": False} for point in searched(0, 2)]
    assert floor_report(refused, 0.98) == (False, "none holds 0.98 on validation: the gate refused every network")


@pytest.mark.slow
def test_a_layer_that_cannot_be_pruned_is_named() -> None:
    done = run(ROOT / "tests/shrink_exact.py", "gelu")
    assert "cannot be pruned" in done.stderr
    assert "LayerNormalization" in done.stderr
