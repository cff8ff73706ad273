"""Escapes text of a file where its characters would act: in a terminal, JSON and Markdown, a function for each.

The template engine escapes HTML (benchmarks.report), the C writer C (convert.c.text), shlex.quote a shell's words.
"""

import re

from edgecnn.bounds import CONTROL

_MARKDOWN = re.compile(r"([\\`*|<>\[\]&~])")  # not _, which means nothing within a word


def for_terminal(text: str) -> str:
    r"""A line that moves no cursor, sets no title and turns no text around: `\x1b` is shown as it is written here."""
    if CONTROL.isdisjoint(text):
        return text
    return "".join(_shown(character) if character in CONTROL else character for character in text)


def _shown(character: str) -> str:
    return character.encode("unicode_escape").decode()


def for_json(text: str) -> str:
    """A JSON document whose strings do nothing to a terminal: control characters that JSON allows are escaped."""
    if CONTROL.isdisjoint(text.replace("\n", "")):
        return text
    unsafe = CONTROL - {"\n"}
    return "".join(f"\\u{ord(character):04x}" if character in unsafe else character for character in text)


def for_markdown(text: object) -> str:
    """A text within a line, or a cell, of Markdown."""
    return _MARKDOWN.sub(r"\\\1", " ".join(for_terminal(str(text)).split()))
