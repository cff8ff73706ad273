"""The choice of `edgecnn tune` for a folder of models: `selection.json`, valid on the device that wrote it.

Its key is the device, the versions of the engines and the hashes of the models. If one of these has changed, a
classifier still opens, with a warning, on the model that is the safest guess.
"""

import json
from pathlib import Path
from typing import Any

from edgecnn import bounds
from edgecnn.device import identify
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError, warn
from edgecnn.files import read_file, sha256, write_file
from edgecnn.modelfile import MOST, model_format, read_model

FILE = "selection.json"
SCHEMA = 1


def models_in(folder: Path) -> list[Path]:
    """The `.tflite` and `.onnx` files of a folder.

    Raises:
        EdgecnnError: there is none.
    """
    files = sorted(folder.glob("*.tflite")) + sorted(folder.glob("*.onnx"))
    if not files:
        raise EdgecnnError(f"{folder} holds no .tflite or .onnx file: copy models there, or name a file")
    return files


def key(folder: Path) -> dict[str, dict[str, str]]:
    """The key of a selection: the device, the engines' versions, the models' hashes."""
    versions = {name: kind.version for name, kind in ENGINES.items()}
    return {
        "device": identify(),
        "engines": {name: version for name, version in versions.items() if version},
        "models": {path.name: sha256(read_file(path)) for path in [*models_in(folder), *_companions(folder)]},
    }


def _companions(folder: Path) -> list[Path]:
    """The files beside models that engines need."""
    return [path for kind in ENGINES.values() if kind.companions for path in sorted(folder.glob(kind.companions))]


def write_selection(folder: Path, winner: dict[str, Any], candidates: list[dict[str, Any]]) -> Path:
    """Write `selection.json`: the winner's model, engine and threads, and all candidates."""
    path = folder / FILE
    document = {"schema": SCHEMA, "key": key(folder), "winner": winner, "candidates": candidates}
    write_file(path, (json.dumps(document, indent=1) + "\n").encode())
    return path


def choose(folder: Path, engine: str, threads: int | None) -> tuple[Path, str, int]:
    """The model file, engine and threads for a folder: as tuned on this device, else a guess, with a warning.

    Raises:
        EdgecnnError: the folder has no model that an engine here runs; or `engine` or `threads` are named, which the
            folder's selection already holds.
    """
    if engine != "auto" or threads is not None:
        raise EdgecnnError(f"{folder} is a folder, whose selection says engine and threads: name a model file instead")
    winner, reason = _winner(folder)
    if winner is not None:
        return folder / winner["model"], winner["engine"], winner["threads"]
    path = _guess(folder)
    warn(f"{reason}: taking {path.name}; run edgecnn tune {folder}")
    return path, "auto", 1


def model_file(path: Path) -> Path:
    """A model's file; of a folder the chosen one, else the guessed one."""
    if not path.is_dir():
        return path
    winner, _ = _winner(path)
    return path / winner["model"] if winner else _guess(path)


def _winner(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """The winner, if the selection is still valid; else None and the reason."""
    path = folder / FILE
    if not path.exists():
        return None, f"{folder} is not tuned for this device"
    try:
        schema, kept, winner = _read(path)
    except (EdgecnnError, ValueError, KeyError, TypeError, AttributeError):
        return None, f"{path} cannot be read"
    now = key(folder)
    changed = [part for part in now if kept.get(part) != now[part]]
    if changed or schema != SCHEMA:
        return None, f"{path} no longer holds ({', '.join(changed or ['its schema'])} changed)"
    return winner, ""


def _read(path: Path) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The schema, key and winner of a selection.

    Raises:
        EdgecnnError, ValueError, KeyError, TypeError, AttributeError: it is damaged, or a value is out of bounds.
    """
    document = bounds.parsed(read_file(path, bounds.DOCUMENT))
    kept, winner = document["key"], document["winner"]
    model = bounds.text(winner["model"], "model")
    if Path(model).name != model or not isinstance(kept, dict):
        raise ValueError("a model that is no file of the folder")
    engine = bounds.choice(winner["engine"], "engine", ENGINES)
    threads = bounds.whole(winner["threads"], "threads", 1, ENGINES[engine].most_threads)
    return document["schema"], kept, {"model": model, "engine": engine, "threads": threads}


def _guess(folder: Path) -> Path:
    """Of the models that an installed engine runs, full int8 before others, then the smallest."""
    formats = {kind.format for kind in ENGINES.values() if kind.automatic and kind.installed}
    able = [path for path in models_in(folder) if model_format(str(path), read_file(path, MOST)) in formats]
    if not able:
        raise EdgecnnError(f"no engine is installed for the models in {folder}: edgecnn doctor says what to install")
    return min(able, key=lambda path: (read_model(path).manifest.quantization != "int8", path.stat().st_size))
