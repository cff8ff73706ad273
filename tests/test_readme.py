"""The guides: their tables are those of the committed results, and what they name is there; nothing else is."""

import argparse
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, main_of
from parsers import collect, sub_parser
from test_commands import COMMANDS, SUBCOMMANDS

from benchmarks.provenance import provenance
from benchmarks.readme import BLOCKS, CARD, README, REFERENCES, RESULTS, filled, pages, references
from benchmarks.result_tables import source
from benchmarks.shipped_card import shipped_cards
from edgecnn.errors import EdgecnnError

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md")
TEXT = "\n".join(page.read_text() for page in PAGES)
MAKEFILE = (ROOT / "Makefile").read_text()
NAMES = [name for name in COMMANDS if name != "edgecnn"] + [f"edgecnn {name}" for name in SUBCOMMANDS]
# Options that all commands share.
EVERYWHERE = {"--help", "--json"}
CALL = re.compile(
    r"^(?:[A-Z_]+=\S+ )?(?:(?:ExecStart=)?(?:\S*/)?(?=edgecnn )|python -m (?=[a-z]))(?P<words>(?!pip|venv).*)$"
)


@pytest.mark.parametrize("page", pages(), ids=str)
def test_tables_are_generated(page: Path) -> None:
    text = (ROOT / page).read_text()
    assert filled(page, text, ROOT) == text, "run: make readme"


def test_a_table_without_a_place_is_an_error() -> None:
    with pytest.raises(EdgecnnError, match="has no block between <!-- results -->"):
        filled(README, "no markers", ROOT)


def test_each_table_names_its_machine_day_and_command() -> None:
    tables = {name: block for name, block in BLOCKS.items() if block.page != README and len(block.references) == 1}
    for name, table in tables.items():
        block = (ROOT / table.page).read_text().split(f"<!-- {name} -->")[1].split("<!-- end of")[0]
        assert re.search(
            r"\*[^*]+; (measured|recorded) 20\d\d-\d\d-\d\d; `python -m benchmarks\.[a-z]+[^`]*`\*\n$", block
        ), name
    assert {path.name for path in (ROOT / REFERENCES).glob("*.json")} == set(references())


def test_a_new_result_names_its_machine_day_and_command() -> None:
    run = provenance()
    assert re.fullmatch(r"\*.+ with .+, \d+ cores?, .+; measured 20\d\d-\d\d-\d\d; `python -m .+`\*\n", source(run))
    for name in references():
        command = json.loads((ROOT / REFERENCES / name).read_text())["command"]
        package = ROOT / command.removeprefix("python -m ").split()[0].replace(".", "/")
        module = package / "__main__.py" if package.is_dir() else package.with_suffix(".py")
        assert "| provenance()" in module.read_text(), module


def test_no_ratio_is_rounded_to_nothing() -> None:
    assert not re.search(r"\| 0\.0+ \|", (ROOT / RESULTS).read_text())


def test_the_card_is_that_of_the_model_in_the_wheel() -> None:
    assert (ROOT / CARD).read_text() == shipped_cards(), "run: make readme"


def test_targets_and_folders_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"(?:`|    )(?:[A-Z_]+=\S+ )?make ([a-z-]+)", TEXT)) <= targets
    for folder in re.findall(r"^([a-z]+)/ ", PAGES[0].read_text(), re.MULTILINE):
        assert (ROOT / folder).is_dir()


def test_make_help_lists_each_target() -> None:
    """A target of .PHONY has a `##` comment, which is what `make help` shows."""
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE)) == set(phony.split())


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings have on GitHub."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https:)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_all_guides_are_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", PAGES[0].read_text()))
    assert linked == {str(page.relative_to(ROOT)) for page in PAGES if page.parent.name == "docs"}


def lines_of_code() -> Iterator[tuple[str, str]]:
    """The lines of all code blocks, fenced and indented ones, with the name of their page."""
    for page in PAGES:
        fenced = False
        for line in page.read_text().splitlines():
            fenced ^= line.strip().startswith("```")
            if fenced or line.startswith("    "):
                yield page.name, re.sub(r"\s+#.*", "", line.strip())


def calls() -> Iterator[tuple[str, str, list[str]]]:
    """Page, name and arguments of all our commands in lines of code."""
    for page, line in lines_of_code():
        for part in re.split(r"\s(?:&&|\|+|;)\s", re.sub(r"\s>.*", "", line)):
            if call := CALL.search(part):
                name, *words = shlex.split(call["words"])
                yield page, name, words


CALLS = list(calls())


def test_lines_of_code_are_read() -> None:
    assert len(CALLS) > 60
    assert {name for _, name, _ in CALLS} >= {"train", "edgecnn", "deploy.fleet", "benchmarks.arm"}


@pytest.mark.parametrize(
    ("page", "name", "words"), CALLS, ids=[f"{page} {name} {index}" for index, (page, name, _) in enumerate(CALLS)]
)
def test_a_command_of_the_guides_takes_its_words(
    page: str, name: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    collect(monkeypatch)
    assert name in COMMANDS
    assert main_of(name)(words) == 0, (page, capsys.readouterr().err)


def rows_of_commands() -> dict[str, list[Path]]:
    """The commands that docs/commands.md lists, with their guides."""
    page = ROOT / "docs/commands.md"
    rows = re.findall(r"^\| `(?:python -m )?([^`]+)` \|(.*)\|$", page.read_text(), re.MULTILINE)
    return {name: [page.parent / link for link in re.findall(r"\]\(([^)]+)\)", row)] for name, row in rows}


def test_the_list_of_commands_is_whole() -> None:
    assert sorted(rows_of_commands()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_in_the_guides_of_its_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(guide.read_text() for guide in rows_of_commands()[name])
    missing = {
        option for option in options(name, monkeypatch) - EVERYWHERE if not re.search(rf"{option}(?![\w-])", text)
    }
    assert not missing


def test_every_option_in_the_guides_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also options in the text between code blocks; some belong to tools around the commands."""
    from deploy import install

    known = set().union(*(options(name, monkeypatch) for name in NAMES))
    known |= set(re.findall(r'"(--[a-z-]+)"', Path(install.__file__).read_text()))
    known |= {"--bench", "--system-site-packages", "--now", "--version"}  # of the C program, venv, systemctl, edgecnn
    known |= {"--data-binary"}  # of curl
    known |= {"--codec", "--width", "--height"}  # of rpicam-vid
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) <= known


def options(name: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The long options of a command."""
    parsers = collect(monkeypatch)
    module, *part = name.split()
    main_of(module)([*part, "--help"])
    return long_options(sub_parser(parsers[-1], part))


def long_options(parser: argparse.ArgumentParser) -> set[str]:
    """The long options of a parser and of those within it."""
    words = {word for action in parser._actions for word in action.option_strings if word.startswith("--")}
    inner = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return words.union(*(long_options(part) for choices in inner for part in choices.values()))


def test_the_first_lines_of_python_run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network for digits in place of MNIST's."""
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts/mnist").symlink_to(trained)
    monkeypatch.chdir(tmp_path)
    (code, *_) = re.findall(r"```python\n(.*?)```", PAGES[0].read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["prediction"].label in "0123456789"  # type: ignore[attr-defined]
