"""MNIST's files: read from folders, downloaded, resumed and checked, from a local server with small files."""

import functools
import gzip
import hashlib
import http.server
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edgecnn import EdgecnnError
from train import mnist


def idx(array: np.ndarray) -> bytes:
    """A gzipped IDX file."""
    return gzip.compress(struct.pack(f">4B{array.ndim}i", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small files in place of MNIST's, with their hashes."""
    random = np.random.default_rng(0)
    contents = {
        name: idx(random.integers(0, 256, (30, 28, 28) if "images" in name else (30,), np.uint8))
        for name in mnist.FILES
    }
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    monkeypatch.setattr(mnist, "FILES", hashes)
    monkeypatch.delenv("MNIST_DIR", raising=False)
    return contents


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves `content`, ranges too; breaks off after `limit` bytes of a transfer."""

    content: dict[str, bytes]
    limit: int | None = None
    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        name, wanted = self.path.strip("/"), self.headers.get("Range")
        self.asked.append((name, wanted))
        data = self.content.get(name)
        if data is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:][: self.limit])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[object]:
    """A function that starts a mirror on loopback and returns its address and its handler."""
    servers = []

    def start(content: dict[str, bytes], limit: int | None = None) -> tuple[str, type[Mirror]]:
        handler = type("Handler", (Mirror,), {"content": content, "limit": limit, "asked": []})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=functools.partial(server.serve_forever, poll_interval=0.05), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/", handler

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def same(folder: Path, files: dict[str, bytes]) -> bool:
    return {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_a_download_is_whole_and_happens_once(tmp_path: Path, files: dict[str, bytes], serve) -> None:
    url, handler = serve(files)
    for _ in range(2):
        assert same(mnist.download(tmp_path, (url,)), files)
    assert [name for name, _ in handler.asked] == list(files)


def test_two_downloads_at_once_share_no_half_file(tmp_path: Path, files: dict[str, bytes], serve) -> None:
    url, handler = serve(files)
    with ThreadPoolExecutor() as pool:
        folders = list(pool.map(lambda _: mnist.download(tmp_path, (url,)), range(4)))
    assert all(same(folder, files) for folder in folders)
    assert sorted(handler.asked) == sorted((name, None) for name in files)


def test_a_broken_transfer_goes_on_where_it_stopped(tmp_path: Path, files: dict[str, bytes], serve) -> None:
    breaking, _ = serve(files, limit=10_000)
    with pytest.raises(mnist.UnavailableError, match="train-images"):
        mnist.download(tmp_path, (breaking,))
    sound, handler = serve(files)
    assert same(mnist.download(tmp_path, (sound,)), files)
    assert handler.asked[0] == ("train-images-idx3-ubyte.gz", "bytes=8192-")


def test_the_second_mirror_goes_on_with_what_the_first_began(tmp_path: Path, files: dict[str, bytes], serve) -> None:
    breaking, _ = serve(files, limit=10_000)
    sound, handler = serve(files)
    assert same(mnist.download(tmp_path, (breaking, sound)), files)
    assert ("train-images-idx3-ubyte.gz", "bytes=8192-") in handler.asked


def test_a_wrong_file_is_not_kept(tmp_path: Path, files: dict[str, bytes], serve) -> None:
    wrong = {name: data[:-1] + b"!" for name, data in files.items()}
    lying, _ = serve(wrong)
    with pytest.raises(mnist.UnavailableError):
        mnist.download(tmp_path, (lying,))
    assert list(tmp_path.iterdir()) == []
    sound, _ = serve(files)
    assert same(mnist.download(tmp_path, (lying, sound)), files)


def test_a_damaged_part_does_not_block_the_next_try(tmp_path: Path, files: dict[str, bytes], serve) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz.part").write_bytes(b"garbage")
    sound, _ = serve(files)
    for _ in range(2):  # the part spoils one try at the most
        try:
            folder = mnist.download(tmp_path, (sound,))
        except mnist.UnavailableError:
            continue
    assert same(folder, files)


def test_without_a_mirror_the_error_names_the_remedy(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(mnist.UnavailableError, match="--data FOLDER"):
        mnist.download(tmp_path, ("http://127.0.0.1:9/",))


def test_the_folder_of_the_option_comes_before_that_of_the_environment(
    tmp_path: Path, files: dict[str, bytes], monkeypatch
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.setenv("MNIST_DIR", str(tmp_path / "nowhere"))
    images, labels, test_images, test_labels = mnist.read_mnist(tmp_path)  # --data comes first
    assert (images.shape, labels.shape, test_images.shape, test_labels.dtype) == (
        (30, 28, 28, 1),
        (30,),
        (30, 28, 28, 1),
        np.int64,
    )
    with pytest.raises(EdgecnnError, match="nowhere"):
        mnist.read_mnist()
    monkeypatch.setenv("MNIST_DIR", str(tmp_path))
    assert (mnist.read_mnist()[0] == images).all()


def test_a_damaged_file_is_named_with_both_hashes(tmp_path: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    name = "t10k-images-idx3-ubyte.gz"
    (tmp_path / name).write_bytes(files[name][:-5])
    actual = hashlib.sha256(files[name][:-5]).hexdigest()
    with pytest.raises(EdgecnnError, match=f"{name} is damaged.*{mnist.FILES[name]} expected, but it is {actual}"):
        mnist.read_mnist(tmp_path)


def test_the_published_files_are_accepted(mnist_dir: Path) -> None:
    images, labels, test_images, _ = mnist.read_mnist(mnist_dir)
    assert (len(images), len(test_images)) == (60000, 10000)
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
