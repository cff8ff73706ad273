"""Thousands of damaged and hostile files under valid seals, through info, check and classify.

A seal is a hash that anybody can make, so that nothing behind it is trusted. Every command reads every file in a
process of its own; it may be refused in a line (status 2) or answered, and nothing else: no crash, no stack trace, no
half a minute, no 500 MB. What changes no more than weights or words that mean nothing is answered, and may be.

Examples:
  python tests/fuzz.py artifacts/digits                 5,400 files, some minutes
  python tests/fuzz.py artifacts/digits --each 20 --kind "onnx nodes" --keep /tmp/kept
"""

import argparse
import contextlib
import importlib
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_documents import data_sets, keras_zips, manifest_text, manifest_values, native_json, selections, zips
from fuzz_files import Case, Sound, model, sound_files
from fuzz_models import cut, onnx_bytes, onnx_nodes, tflite_bytes, tflite_offsets, tflite_tables

import edgecnn.child_process
from edgecnn.child_process import DiedError, Limits
from edgecnn.cli import main as edgecnn_main

SECONDS, MEGABYTES = 30, 500  # that a command may take
EACH = 450
COMMANDS = ("info", "check", "classify")
IMPORTED = (  # once, before the forks
    "ai_edge_litert.interpreter", "onnxruntime", "PIL.Image", "PIL.ImageOps", "PIL.PngImagePlugin", "multiprocessing",
    "edgecnn.commands", "edgecnn.info", "edgecnn.native_engine", "edgecnn.onnx_structure", "edgecnn.selection",
    "edgecnn.tflite_engine", "edgecnn.tflite_structure",
)  # fmt: skip

KINDS: dict[str, Callable[[Sound, random.Random], Case]] = {
    "tflite offsets": tflite_offsets, "tflite tables": tflite_tables, "tflite bytes": tflite_bytes, "cut": cut,
    "onnx bytes": onnx_bytes, "onnx nodes": onnx_nodes, "manifest values": manifest_values,
    "manifest text": manifest_text, "zips": zips, "keras zips": keras_zips, "data sets": data_sets,
    "native.json": native_json, "selection.json": selections,
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    word: str  # refused, answered, gate failed, or a wrong end
    seconds: float
    megabytes: float
    output: str


FINE = ("refused", "refused after a trial", "answered", "gate failed")


class Bench:
    """A folder with sound files, in which spoilt ones are tried."""

    def __init__(self, folder: Path, sound: Sound) -> None:
        self.folder = folder
        (folder / "model.tflite").write_bytes(model(sound, "tflite").data)
        (folder / "data.npz").write_bytes(sound.data)
        from PIL import Image

        Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)).save(folder / "a.png")

    def words(self, command: str, case: Case, spoilt: Path) -> list[str]:
        """The command line."""
        is_model = case.name.startswith("model.") and not case.name.endswith(".json")
        path = spoilt / case.name if is_model else self.folder / "model.tflite"
        data = spoilt / case.name if case.name == "data.npz" else self.folder / "data.npz"
        if case.name.endswith(".json"):
            shutil.copy(path, spoilt)
            path = spoilt if case.name == "selection.json" and command != "info" else spoilt / path.name
        more = ["--engine", "native"] if case.name == "model.native.json" and command != "info" else []
        tail = {"info": [str(path)], "check": [str(path), str(data)]}
        return [command, *tail.get(command, [str(self.folder / "a.png"), "--model", str(path)]), *more]

    def run(self, command: str, case: Case) -> Outcome:
        """Run a command on a spoilt file."""
        with tempfile.TemporaryDirectory(dir=self.folder) as spoilt, tempfile.TemporaryFile() as log:
            (Path(spoilt) / case.name).write_bytes(case.data)
            words = self.words(command, case, Path(spoilt))
            os.environ["XDG_STATE_HOME"] = spoilt
            start = time.monotonic()
            child = os.fork()
            if child == 0:
                _serve(words, log.fileno())
            status, usage = _wait(child, start + SECONDS)
            seconds = time.monotonic() - start
            log.seek(0)
            output = log.read(100_000).decode(errors="replace")
        return Outcome(_word(status, output, usage.ru_maxrss / 1000), seconds, usage.ru_maxrss / 1000, output)


def _serve(words: list[str], log: int) -> None:
    """In the child: the command, with a bound."""
    status = 99
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for stream in (1, 2):
            os.dup2(log, stream)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        status = edgecnn_main(words)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _wait(child: int, deadline: float) -> tuple[int, Any]:
    while time.monotonic() < deadline:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return status, usage
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    _, _, usage = os.wait4(child, 0)
    return -1, usage


def _word(status: int, output: str, megabytes: float) -> str:
    if status == -1:
        return "HUNG"
    if os.WIFSIGNALED(status):
        return f"DIED of {signal.Signals(os.WTERMSIG(status)).name}"
    return "MEMORY" if megabytes > MEGABYTES else _word_of_exit(status, output)


def _word_of_exit(status: int, output: str) -> str:
    code = os.WEXITSTATUS(status)
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    if "Traceback" in output or code not in (0, 1, 2) or (code == 2 and len(lines) != 1):
        return f"FAULT {code}"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", output):
        return "ESCAPE SEQUENCE"
    if "a process that opened it first" in output:
        return "refused after a trial"
    return ("answered", "gate failed", "refused")[code]


def forked(function: Callable[..., Any], *arguments: Any, limits: Limits | None = None) -> Any:
    """`edgecnn.child_process.in_child` by fork, with the same bounds: a spawn imports for half a second."""
    import pickle

    with tempfile.TemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            try:
                if limits:
                    edgecnn.child_process._bound(limits.megabytes)
                try:
                    result = (True, function(*arguments))
                except Exception as error:
                    result = (False, error)
                answer.write(pickle.dumps(result))
                answer.flush()
            finally:
                os._exit(0)
        status, _ = _wait(child, time.monotonic() + (min(limits.seconds, SECONDS - 10) if limits else SECONDS))
        if status:
            raise DiedError(
                "no answer" if status == -1 else edgecnn.child_process._how(-(status & 0x7F) or status >> 8)
            )
        answer.seek(0)
        succeeded, value = pickle.loads(answer.read())
    if not succeeded:
        raise value
    return value


def fuzz(
    folder: Path, files: int, kinds: list[str], seed: int = 0, keep: Path | None = None
) -> dict[str, Counter[str]]:
    """Try `files` files of every kind, and count how the commands end; files with a wrong end are kept and shown."""
    for name in IMPORTED:
        importlib.import_module(name)
    sound, counts = sound_files(folder), {kind: Counter[str]() for kind in kinds}
    edgecnn.child_process.in_child = forked
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(Path(work), sound)
        for kind in kinds:
            draw = random.Random(f"{seed} {kind}")
            for number in range(files):
                case = KINDS[kind](sound, draw)
                for command in COMMANDS:
                    outcome = bench.run(command, case)
                    counts[kind][outcome.word] += 1
                    if outcome.word not in FINE:
                        print(
                            f"{kind} {number} {command}: {outcome.word} {outcome.seconds:.1f} s", outcome.output[-600:]
                        )
                        if keep:
                            (keep / f"{kind} {number} {case.name}").write_bytes(case.data)
            print(f"{kind:16} {files} files: {dict(counts[kind])}", flush=True)
    return counts


def main() -> int:
    """Count the ends, and fail if one was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of a training on digits and its conversions")
    parser.add_argument("--each", type=int, default=EACH, help=f"files of a kind (default {EACH})")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the files with a wrong end")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    counts = fuzz(options.folder, options.each, options.kind or list(KINDS), options.seed, options.keep)
    wrong = sum(count for kind in counts.values() for word, count in kind.items() if word not in FINE)
    print(f"{options.each * len(counts)} files, {sum(map(Counter.total, counts.values()))} calls, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
