"""The README's figures are those of the committed results, and what it says is there is there."""

import json
import re

from conftest import ROOT

from benchmarks.card import card
from benchmarks.readme import BLOCKS, CARD, REFERENCES, filled
from edgecnn import SHIPPED
from edgecnn.modelfile import read_model

TEXT = (ROOT / "README.md").read_text()


def test_the_results_are_generated() -> None:
    for name, (file, _) in BLOCKS.items():
        results = json.loads((ROOT / REFERENCES / file).read_text())
        assert filled(TEXT, name, results) == TEXT, "run: make readme"


def test_the_card_is_that_of_the_model_in_the_wheel() -> None:
    assert (ROOT / CARD).read_text() == card(read_model(SHIPPED)), "run: make readme"


def test_targets_and_folders_it_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|    )(?:[A-Z_]+=\S+ )?make ([a-z-]+)", TEXT)) <= targets
    for folder in re.findall(r"^([a-z]+)/ ", TEXT, re.MULTILINE):
        assert (ROOT / folder).is_dir()
