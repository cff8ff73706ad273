"""The README's figures are those of the committed results, and what it says is there is there."""

import json
import re

from conftest import ROOT

from benchmarks.readme import filled

TEXT = (ROOT / "README.md").read_text()


def test_the_results_are_generated() -> None:
    assert filled(TEXT, json.loads((ROOT / "benchmarks/reference/demo.json").read_text())) == TEXT, "run: make readme"


def test_targets_and_folders_it_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|    )(?:[A-Z_]+=\S+ )?make ([a-z-]+)", TEXT)) <= targets
    for folder in re.findall(r"^([a-z]+)/ ", TEXT, re.MULTILINE):
        assert (ROOT / folder).is_dir()
