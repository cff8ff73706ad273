"""What a file says means nothing where it is written: terminal, JSON, Markdown."""

import json
from pathlib import Path

import pytest

from convert.model_card import record, render
from edgecnn.cli import main
from edgecnn.command import table
from edgecnn.escape import for_json, for_markdown, for_terminal

# Letters that are joined, and of two directions.
FINE = "K\u00e4se \U0001f468\u200d\U0001f469 \u200f\u05e2\u05d1\u05e8 \u0646\u06cc\u0645\u200c\u0641"
EVIL = "\x1b]0;owned\x07\x9b2J\u202e\u2066x\n\r"


def test_a_terminal_is_shown_what_it_would_obey() -> None:
    assert for_terminal(EVIL) == r"\x1b]0;owned\x07\x9b2J\u202e\u2066x\n\r"
    assert for_terminal(FINE) == FINE


def test_json_stays_what_it_was() -> None:
    document = {EVIL: [EVIL]}
    safe = for_json(json.dumps(document, ensure_ascii=False, indent=1))
    assert safe.replace("\n", "").isprintable()
    assert json.loads(safe) == document


def test_markdown_keeps_a_cell_a_cell() -> None:
    assert for_markdown("a|b\n<img src=x onerror=alert(1)> `x` [y](z) c_d") == (
        r"a\|b\\n\<img src=x onerror=alert(1)\> \`x\` \[y\](z) c_d"
    )


def test_a_table_and_an_error_line_obey_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert table((EVIL,), [(EVIL,)]).replace("\n", "").isprintable()
    assert main(["info", f"no{EVIL}.tflite"]) == 2
    assert capsys.readouterr().err.removesuffix("\n").isprintable()


def test_a_model_card_holds_only_its_own_cells() -> None:
    entry = {"file": "a|b<script>.tflite", "engines": {}, "why": "x\n| y |"}
    (row,) = [line for line in render([entry]).splitlines() if "script" in line]
    assert row.replace(r"\|", "").count("|") == 10
    assert "<script>" not in row.replace(r"\<", "")


def test_a_name_of_a_file_goes_through_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "\x1b[2J.tflite"
    path.write_bytes(b"none")
    for words in (["classify", "a.png", "--model"], ["info"], ["bench"], ["tune"], ["golden"]):
        assert main([*words, str(path)]) == 2
        assert "\x1b" not in capsys.readouterr().err


HOSTILE = (
    "[" * 10**5,
    "[]",
    '{"models": {"x": 1}}',
    '{"models": [1, null, {}]}',
    '{"models": [{"file": []}]}',
    "{",
    "1e999",
)


@pytest.mark.parametrize(
    "text", [*HOSTILE, '{"models": [{"file": "../../x", "engines": {}, "why": "", "sha256": "0"}]}']
)
def test_a_hostile_models_json_is_written_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "models.json").write_text(text)
    record(tmp_path / "model.tflite", {"file": "model.tflite", "engines": {}, "why": "x", "sha256": "0"})
    assert [each["file"] for each in json.loads((tmp_path / "models.json").read_bytes())["models"]] == ["model.tflite"]
