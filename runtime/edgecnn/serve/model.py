"""The model that is served: a new one behind the same path is taken over; requests that run keep the old one."""

import threading
from collections.abc import Callable
from pathlib import Path

from edgecnn.classifier import Classifier
from edgecnn.errors import EdgecnnError

POLL = 1.0  # seconds between two looks at the file
_Stamp = tuple[tuple[str, int, int, int], ...]


class ServedModel:
    """A classifier, and the thread that replaces it.

    Args:
        path: of a file or a folder; also through a symbolic link that is switched.
        load: opens a classifier of the path.
        tell: is called with a line when the model was replaced, or could not be.

    Attributes:
        classifier: the newest one; keep it for the whole of a request.
        replaced: how often it was replaced.
        trouble: why the newest file is not served, in a line; None if it is.

    Raises:
        EdgecnnError: the model does not open.
    """

    def __init__(self, path: Path, load: Callable[[], Classifier], tell: Callable[[str], None]) -> None:
        self._path, self._load, self._tell = path, load, tell
        self._stamp = stamp_of(path)
        self.classifier, self.replaced = load(), 0
        self._closed = threading.Event()
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._follow, name="model", daemon=True)

    def follow(self) -> None:
        """Begin to look at the file."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def _follow(self) -> None:
        seen = self._stamp
        while not self._closed.wait(POLL):
            stamp = stamp_of(self._path)
            if stamp and stamp == seen and stamp != self._stamp:  # two looks saw the same: it is whole
                self._stamp = stamp
                self._replace()
            seen = stamp

    def _replace(self) -> None:
        """Take over the new model, or keep the old one."""
        try:
            self.classifier = self._load()
        except (EdgecnnError, OSError, MemoryError) as error:
            self.trouble = " ".join(str(error).split()) or type(error).__name__
            self._tell(f"the new model is not taken over: {self.trouble}")
            return
        self.trouble, self.replaced = None, self.replaced + 1
        self._tell(f"a new model is served: {self.classifier.manifest.name} {version_of(self.classifier)}")


def version_of(classifier: Classifier) -> str:
    """A model's version: the first digits of its file's SHA-256."""
    return classifier.sha256[:12]


def stamp_of(path: Path) -> _Stamp:
    """What tells whether a model's file, or a folder's models, are other ones; empty if they are gone."""
    try:
        real = path.resolve()
        files = sorted(real.iterdir()) if real.is_dir() else [real]
        stats = [(str(file), file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
