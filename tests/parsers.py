"""The parsers of all commands, reached through the commands themselves."""

import argparse

import pytest

from edgecnn.option_parser import Parser


def collect(monkeypatch: pytest.MonkeyPatch) -> list[argparse.ArgumentParser]:
    """From now on commands end once their words are parsed; the parser that was used last is at the end of the list."""
    parsers: list[argparse.ArgumentParser] = []
    parse = argparse.ArgumentParser.parse_args

    def stop(self: Parser, argv: list[str]) -> None:
        parsers.append(self)
        parse(self, argv)
        raise SystemExit(0)

    monkeypatch.setattr(Parser, "parse_args", stop)
    return parsers


def sub_parser(parser: argparse.ArgumentParser, names: list[str]) -> argparse.ArgumentParser:
    """The parser of a command's part."""
    for name in names:
        (choices,) = [each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        parser = choices[name]
    return parser
