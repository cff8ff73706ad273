"""The files of one export to C: sources, and what is built of them; tried on golden inputs before they appear."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from convert.c import c_text
from convert.c.build import Built, build
from convert.c.lowering import lower
from convert.c.network import read_network
from convert.c.packages import Package, packages
from convert.c.plan import Plan
from convert.c.reference import golden_inputs, golden_outputs, try_library
from convert.c.step import Bytes
from convert.c.syntax import check_file_name
from convert.c.tiles import NO_TILES, Tiles
from convert.conversion import Conversion
from convert.variant import PLAIN
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from edgecnn.manifest import Manifest
from edgecnn.modelfile import ModelFile, find_manifest
from edgecnn.native_description import SCHEMA, description_file, library_key, target


@dataclass(frozen=True)
class Wrapping:
    """The packages that are wanted."""

    systems: Sequence[str]
    version: str
    license: str


def plain_model(path: Path, conversion: Conversion) -> ModelFile:
    """The plain int8 conversion of a `.keras` file as a model file, which is not written."""
    manifest = find_manifest(PLAIN.file_name, conversion.data)
    if manifest is None:
        raise EdgecnnError(f"{path} gave a conversion without a manifest")
    return ModelFile(path.with_name(PLAIN.file_name), conversion.data, manifest)


def c_files(
    model: ModelFile, output: Path, targets: list[str], tiles: Tiles = NO_TILES, wrapping: Wrapping | None = None
) -> tuple[dict[Path, bytes], dict[str, Any]]:
    """All files of an export to C; `program` names a static one.

    Args:
        model: a full-int8 `.tflite`.
        output: NAME.c.
        targets: to build for, see convert.c.build.
        tiles: of layers that do not have those of the rule.
        wrapping: the packages around it.

    Returns:
        The files, by their paths, NAME.c first; and facts for people.

    Raises:
        EdgecnnError: C cannot be written for the model, or does not give what the reference kernels do.
    """
    check_file_name(output)
    plan = lower(str(model.path), read_network(str(model.path), model.data), tiles)
    _check_ends(model, plan)
    inputs = golden_inputs(model, plan)
    outputs = golden_outputs(model, plan, inputs)
    names = c_text.Names.of(output.stem)
    texts = {
        f"{output.stem}.c": c_text.source(names, plan, model.manifest),
        f"{output.stem}.h": c_text.header(names, plan, model.manifest),
        f"{output.stem}_test.c": c_text.golden(names, inputs, outputs),
        f"{output.stem}_main.c": c_text.program(names),
    }
    builds = build(texts, output.stem, targets) if targets else []
    here = [built for built in builds if built.target == target()]
    for built in here:
        try_library(built, names.lower, inputs, outputs)
    files = {output.with_name(name): text.encode() for name, text in texts.items()}
    if wrapping:
        package = _package(model, plan, names, output.stem, wrapping, inputs, outputs)
        source, head = (files[output.with_suffix(suffix)] for suffix in (".c", ".h"))
        files |= packages(wrapping.systems, package, output.parent, source, head)
    files |= _built_files(model.manifest, plan, names.lower, output, builds)
    return files, _facts(model, plan, builds) | {
        "golden": f"all {len(inputs)} give what TFLite's reference kernels give"
        if here
        else "not tried here: --build host tries them"
    }


def _package(
    model: ModelFile,
    plan: Plan,
    names: c_text.Names,
    stem: str,
    wrapping: Wrapping,
    inputs: Bytes,
    outputs: Bytes,
) -> Package:
    constants = sum(step.constant_bytes for step in plan.steps)
    title = c_text.title(model.manifest)
    return Package(names, stem, title, wrapping.version, wrapping.license, constants, plan.arena, inputs, outputs)


def program(output: Path, target: str) -> Path:
    """Where the static program for a target goes."""
    return output.with_name(f"{output.stem}-{target}")


def _library(output: Path, target: str) -> Path:
    return output.with_name(f"{output.stem}-{target}.so")


def _check_ends(model: ModelFile, plan: Plan) -> None:
    """Compare the manifest with the network: C trusts both.

    Raises:
        EdgecnnError: their images or classes differ.
    """
    images, labels = prod(model.manifest.input.shape), len(model.manifest.labels)
    if (images, labels) != (plan.input.size, plan.output.size) or len(model.manifest.input.shape) != 3:
        raise EdgecnnError(
            f"{model.path} takes {plan.input.size} values and gives {plan.output.size}, but its manifest speaks of"
            f" images of {model.manifest.input.shape} and of {labels} labels: make the file again"
        )


def _built_files(
    manifest: Manifest, plan: Plan, symbol: str, output: Path, builds: Sequence[Built]
) -> dict[Path, bytes]:
    """Libraries, programs, and the description that `edgecnn.native_description` reads."""
    if not builds:
        return {}
    files = {}
    for built in builds:
        files[_library(output, built.target)] = built.library
        files[program(output, built.target)] = built.program
    text = json.dumps(_description(manifest, plan, symbol, output, builds), indent=1) + "\n"
    return files | {description_file(output): text.encode()}


def _facts(model: ModelFile, plan: Plan, builds: Sequence[Built]) -> dict[str, Any]:
    sizes = [
        {"target": built.target, "library_bytes": len(built.library), "program_bytes": len(built.program)}
        for built in builds
    ]
    constants = sum(step.constant_bytes for step in plan.steps)
    steps = len(plan.steps)
    return {
        "model": str(model.path),
        "steps": steps,
        "constants": constants,
        "arena": plan.arena,
        "least_arena": plan.least_arena,
        "targets": sizes,
    }


def _description(manifest: Manifest, plan: Plan, symbol: str, output: Path, builds: Sequence[Built]) -> dict[str, Any]:
    """What `edgecnn.native_description` reads; libraries of the same model that are there already stay."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "symbol": symbol,
        **library_key(manifest),
        "arena": plan.arena,
        "multiply_accumulates": sum(step.products for step in plan.steps),
    }
    for end, place in (("input", plan.network.input), ("output", plan.network.output)):
        tensor = plan.tensor(place)
        document[end] = {"shape": tensor.shape, "scale": float(tensor.scale), "zero_point": tensor.zero_point}
    entries = {
        built.target: {
            "file": _library(output, built.target).name,
            "sha256": sha256(built.library),
            "program": program(output, built.target).name,
            "program_sha256": sha256(built.program),
        }
        for built in builds
    }
    return document | {"libraries": _earlier_libraries(description_file(output), document) | entries}


def _earlier_libraries(path: Path, document: dict[str, Any]) -> dict[str, Any]:
    """The libraries that an earlier description of the same model has."""
    try:
        earlier = json.loads(path.read_bytes())
        libraries: dict[str, Any] = earlier.pop("libraries")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # it is none, or damaged
        return {}
    return libraries if earlier == json.loads(json.dumps(document)) else {}
