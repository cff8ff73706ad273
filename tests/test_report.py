"""The report, as a browser shows it: what a reader must see, on a phone and in the dark, and nothing from outside."""

import html
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Once, refused, run
from matplotlib.figure import Figure
from selenium import webdriver

from benchmarks.report.findings import Findings
from benchmarks.report.gathering import _candidate, read_front
from benchmarks.report.page import render
from edgecnn import Classifier
from edgecnn.dataset_reading import read_dataset
from edgecnn.manifest import Rejection
from edgecnn.modelfile import read_model
from edgecnn.verdict import judge
from workstation.charts import logarithmic

pytestmark = pytest.mark.slow

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)


@pytest.fixture(scope="session")
def folder(trained: Path, once: Once) -> Path:
    """Models with their report."""

    def fill(copy: Path) -> None:
        shutil.copytree(trained, copy, dirs_exist_ok=True)
        (copy / "latency.json").unlink(missing_ok=True)
        done = run("benchmarks.latency", copy, "--seconds", 0)
        assert done.returncode == 0, done.stderr
        judge_latencies(copy, {})  # whatever this machine does besides
        done = run("benchmarks.report", copy, "--json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert (said["verdict"], said["latency"]) == ("PASS", "VALID")
        assert "INFO:" not in done.stderr  # engines greet
        assert Path(said["written"]).stat().st_size == said["bytes"]

    return once("report", fill)


def judge_latencies(folder: Path, invalid: dict[str, str]) -> None:
    """Let latency.json say that the latencies of these models are INVALID, and why, and all others VALID."""
    path = folder / "latency.json"
    document = json.loads(path.read_text())
    for each in document["results"]:
        why = invalid.get(each["model"])
        each["verdict"], each["reasons"] = ("INVALID", [why]) if why else ("VALID", [])
    path.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[webdriver.Chrome]:
    if not (Path(CHROMIUM).exists() and Path(DRIVER).exists()):
        pytest.skip("needs Debian's chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in _QUIET:
        options.add_argument(word)
    with webdriver.Chrome(options, webdriver.ChromeService(DRIVER)) as driver:
        yield driver


def shown(browser: webdriver.Chrome, folder: Path, width: int) -> str:
    """The text that a reader sees in a window so wide."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((folder / "report.html").as_uri())
    return str(browser.execute_script("return document.body.innerText"))


@pytest.mark.parametrize("width", [400, 1400])
def test_a_reader_sees_what_matters_without_scrolling_sideways(
    browser: webdriver.Chrome, folder: Path, width: int
) -> None:
    text = shown(browser, folder, width)
    data = read_dataset(folder / "evaluation.npz", Classifier(folder / "model_int8.tflite").manifest)
    assert text.index("PASS") < text.index("The fastest") < text.index("Models")
    assert "measured in a hurry" in text
    for name in ("model_int8.tflite", "model_int8.onnx", "model_float32.onnx"):
        assert name in text
    assert f"{len(data)} test images" in text
    assert "Every model lives on every engine in a process of its own" in text
    for section in (
        "models",
        "reliability",
        "accuracy",
        "latency",
        "limits",
        "confusion",
        "classes",
        "mistakes",
        "flips",
        "method",
    ):
        box = browser.execute_script(f"return document.getElementById('{section}').getBoundingClientRect().toJSON()")
        assert 0 <= box["left"] < box["right"] <= width
        assert box["height"] > 50
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect().width)"
    )
    assert len(drawn) == 5
    assert all(200 < each <= width for each in drawn)


def test_the_headline_says_what_is_valid(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    names = [each["model"] for each in json.loads((copy / "latency.json").read_text())["results"]]
    fastest = page_of(copy, {}).fastest.times["model"]
    assert page_of(copy, {fastest: "busy"}).fastest.times["model"] != fastest
    for invalid, latency, told in (
        (names, "INVALID", "No latency here is VALID"),
        ([fastest], f"VALID for {len(names) - names.count(fastest)} of {len(names)}", "The fastest whose latency is"),
    ):
        findings = page_of(copy, dict.fromkeys(invalid, "the CPU was held back: heat"))
        header = render(findings).split("</header>")[0]
        assert f'class="verdict INVALID">latency {latency}</span>' in header
        assert 'class="verdict PASS">accuracy PASS</span>' in header
        assert told in header
        assert ("µs" in header) == (latency != "INVALID")


def test_a_loss_that_chance_may_explain_is_told(folder: Path, tmp_path: Path) -> None:
    findings = page_of(shutil.copytree(folder, tmp_path / "copy"), {})
    first, truth = findings.candidates[0], np.asarray(findings.evaluation.labels)
    answers = truth.copy()
    answers[:3] = (answers[:3] + 1) % 10
    report = judge(truth, truth, answers, None, max_drop=0)
    spoiled = replace(findings, candidates=(replace(first, report=report),))
    assert report.failures
    assert report.notes
    assert spoiled.notes == tuple(f"{first.name}: {note}" for note in report.notes)
    assert f"<li>{first.name}: {report.notes[0]}</li>" in html.unescape(render(spoiled))


def test_answers_that_are_unknown_stand_beside_the_float_parent(folder: Path, tmp_path: Path) -> None:
    findings = page_of(shutil.copytree(folder, tmp_path / "copy"), {})
    first, rejection = findings.candidates[0], Rejection(0.99, 0.75, 1.5)
    half = replace(first.reliability, answered=first.report.images // 2, right=first.report.images // 2 - 1)
    rejecting = replace(first, manifest=replace(first.manifest, rejection=rejection), reliability=half)
    section = render(replace(findings, candidates=(rejecting,))).split('id="reliability"')[1].split("</section>")[0]
    parent, row = (re.findall(r"<td>(.*?)</td>", line) for line in section.split("<tr>")[2:])
    assert parent == ["float parent", f"{findings.parent_reliability.raw_error:.4f}", *[""] * 5]
    assert row[0] == first.name
    assert row[3:] == ["1.50", "0.7500", f"{100 * half.coverage:.2f} %", f"{half.selective_accuracy:.4f}"]


def test_smaller_networks_of_the_model_are_shown(folder: Path, tmp_path: Path) -> None:
    findings = page_of(shutil.copytree(folder, tmp_path / "copy"), {})
    assert 'id="front"' not in render(findings)
    parent = {"macs": 9_000, "weights_sha256": findings.manifest.weights_sha256, "accuracy": {"evaluation": 0.9}}
    test = {"accuracy": 0.875, "low": 0.8, "high": 0.95}
    point = {"name": "1-2", "macs": 4_321, "parameters": 765, "converted": True, "tflite": 5_678}
    point |= {"accuracy": {"evaluation": test}, "flips": {"lost": 7, "gained": 3, "mcnemar_p": 0.34375}}
    refused = {"name": "1-4", "macs": 2_100, "parameters": 400, "converted": False}
    front = {"parent": parent, "method": "prune", "points": [point, refused]}
    path = tmp_path / "copy" / "front" / "front.json"
    path.parent.mkdir()
    path.write_text(json.dumps(front))
    section = (
        render(replace(findings, front=read_front(tmp_path / "copy"))).split('id="front"')[1].split("</section>")[0]
    )
    for words in ("4,321", "765", "0.8750", "0.8000 to 0.9500", "5,678", "7, 3", "0.34", "refused by the gate", "<svg"):
        assert words in section
    path.write_text(json.dumps(front | {"parent": parent | {"weights_sha256": "0" * 64}}))
    assert read_front(tmp_path / "copy") is None  # of another model


def page_of(folder: Path, invalid: dict[str, str]) -> Findings:
    """What the report tells, without what takes long to find out."""
    judge_latencies(folder, invalid)
    times = json.loads((folder / "latency.json").read_text())
    manifest = read_model(folder / "model.keras").manifest
    data = read_dataset(folder / "evaluation.npz", manifest)
    candidates = tuple(_candidate(folder, data, model) for model in times["results"])
    return Findings(folder, manifest, times, candidates, data, flips=(), limits={}, layers={}, boards=None)


def test_every_flipped_image_is_drawn_with_both_answers(browser: webdriver.Chrome, folder: Path) -> None:
    text = shown(browser, folder, 1400)
    times = json.loads((folder / "latency.json").read_text())["results"]
    data = read_dataset(folder / "evaluation.npz", Classifier(folder / "model_int8.tflite").manifest)
    assert data.probabilities is not None
    parent = data.probabilities.argmax(axis=1)
    flipped = set()
    for each in times:
        classifier = Classifier(folder / each["model"], each["engine"])
        answers = np.array([found.index for found in classifier.predict_batch(data.images)])
        flipped |= set(np.flatnonzero(answers != parent).tolist())
    assert f"{len(flipped)} images whose answer flipped" in text
    whole = "return [...document.querySelectorAll('#flips img')].every(e => e.complete && e.naturalWidth == 28)"
    assert browser.execute_script(whole)
    figures = browser.execute_script("return [...document.querySelectorAll('#flips figure')].map(e => e.innerText)")
    assert len(figures) == len(flipped)
    for place in flipped:
        assert any(f"#{data.indices[place]}" in each and f"float says {parent[place]}" in each for each in figures)


def test_it_is_dark_in_the_dark(browser: webdriver.Chrome, folder: Path) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        shown(browser, folder, 1400)
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3]))
    assert brightness["dark"] < 150
    assert brightness["light"] > 600


def test_nothing_is_loaded_from_outside(browser: webdriver.Chrome, folder: Path) -> None:
    shown(browser, folder, 1400)
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert all(name.startswith("data:") for name in loaded)
    page = (folder / "report.html").read_text()
    for source in re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)|url\(["']?([^)"']*)""", page):
        assert "".join(source).startswith(("data:", "#"))
    assert "<script" not in page


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    refused(run("benchmarks.report", tmp_path), "no evaluation.npz")


def test_a_logarithmic_axis_has_plain_numbers() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([3e6, 1.2e7], [0, 1])
    logarithmic(axes)
    figure.draw_without_rendering()
    labels = {label.get_text() for label in axes.get_xticklabels(which="both")}
    assert {"5,000,000", "10,000,000"} <= labels
    assert not any("$" in label for label in labels)
