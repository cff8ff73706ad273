"""The labels of a model, from the command line or a file."""

from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.labels import split_labels

NAMES = tuple(f"classé {number}" for number in range(40))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_labels_is_read_in_what_editors_write(tmp_path: Path, encoding: str, end: str) -> None:
    (tmp_path / "labels.txt").write_bytes(end.join(NAMES).encode(encoding))
    assert split_labels(str(tmp_path / "labels.txt")) == NAMES


def test_labels_are_words_too() -> None:
    assert split_labels(" cat, dog,") == ("cat", "dog")
    assert split_labels(",".join(NAMES)) == NAMES  # longer than a file's name may be


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("\n".join(NAMES).encode("latin-1"), "is not UTF-8 (line 1)"),
        (b"cat\ndog\nmo\xf8se", "is not UTF-8 (line 3): save it as UTF-8, or iconv -f latin1 -t utf-8"),
        ("cat\ndog".encode("utf-16-le"), "a label holds control characters"),
        (b"\xff\xfec", "is not UTF-16"),
        (b"cat\ndog\ncat\nbird\ndog", "has the label cat, dog twice"),
        (b"\n \n", "has no label"),
        (b"cat\nd\x1b[31mog", "a label holds control characters"),
        (b"cat\n" + b"d" * 300, "300 characters"),
    ],
)
def test_a_file_that_is_no_list_of_labels_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "labels.txt").write_bytes(data)
    with pytest.raises(EdgecnnError) as caught:
        split_labels(str(tmp_path / "labels.txt"))
    assert words in str(caught.value)
    assert "labels.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("labels.txt", "--labels labels.txt: there is no such file; separate labels by commas"),
        ("cat", "no such file"),
        ("cat,dog,cat", "--labels has the label cat twice"),
        (",", "has no label"),
    ],
)
def test_words_that_are_no_labels_are_refused(words: str, cause: str) -> None:
    with pytest.raises(EdgecnnError) as caught:
        split_labels(words)
    assert cause in str(caught.value)
