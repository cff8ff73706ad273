"""The files of one export to C: sources, and what is built of them; tried on golden inputs before they appear."""

import ctypes
import json
import tempfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from convert.c import source
from convert.c.build import Built, build
from convert.c.graph import read_graph
from convert.c.lower import plan
from convert.c.plan import Plan
from convert.c.steps import Bytes, Layer
from convert.c.text import check_file_name
from convert.formats.tflite import variant
from convert.processes.engine import apart
from convert.proof import Conversion
from convert.variant import Variant
from edgecnn.dataset import read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from edgecnn.manifest import Manifest
from edgecnn.modelfile import ModelFile, find_manifest
from edgecnn.native import SCHEMA, description, source_hashes, target

PLAIN: Variant = variant("int8")  # without rewrites: what fast code is generated from
_GOLDEN = 4  # inputs of noise, as many of mid-range noise, twice as many images


def plain_model(path: Path, made: Conversion) -> ModelFile:
    """The plain int8 conversion of a `.keras` file as a model file, which is not written."""
    manifest = find_manifest(PLAIN.file_name, made.data)
    if manifest is None:
        raise EdgecnnError(f"{path} gave a conversion without a manifest")
    return ModelFile(path.with_name(PLAIN.file_name), made.data, manifest)


def make_c(model: ModelFile, output: Path, targets: list[str]) -> tuple[dict[Path, bytes], dict[str, Any]]:
    """Everything that an export to C writes; `program` says where a static one goes.

    Args:
        model: a full-int8 `.tflite`.
        output: NAME.c.
        targets: to build for, see convert.c.build.

    Returns:
        The files, by their paths, NAME.c first; and facts for people.

    Raises:
        EdgecnnError: C cannot be written for the model, or does not give what the reference kernels do.
    """
    check_file_name(output)
    graph = read_graph(str(model.path), model.data)
    made = plan(str(model.path), graph)
    _check_ends(model, made)
    inputs = _golden_inputs(model, made)
    shapes = {place: made.tensor(place).shape for op in graph.ops for place in (*op.inputs, *op.outputs)}
    outputs = apart(f"{model.path} on the reference kernels", reference, model.data, inputs, shapes)
    names = source.Names.of(output.stem)
    texts = {
        f"{output.stem}.c": source.source(names, made, model.manifest),
        f"{output.stem}.h": source.header(names, made, model.manifest),
        f"{output.stem}_test.c": source.golden(names, inputs, outputs),
        f"{output.stem}_main.c": source.program(names),
    }
    built = build(texts, output.stem, targets) if targets else []
    files = {output.with_name(name): text.encode() for name, text in texts.items()}
    tried = "not tried here: --build host tries them"
    for each in built:
        files[output.with_name(f"{output.stem}-{each.target}.so")] = each.library
        files[program(output, each.target)] = each.program
        if each.target == target():
            _try(each, names.lower, inputs, outputs)
            tried = f"all {len(inputs)} give what TFLite's reference kernels give"
    if built:
        said = _description(model.manifest, made, names.lower, output, built)
        files[description(output)] = (json.dumps(said, indent=1) + "\n").encode()
    constants = sum(step.weights.nbytes + 12 * len(step.bias) for step in made.steps if isinstance(step, Layer))
    sizes = [
        {"target": each.target, "library_bytes": len(each.library), "program_bytes": len(each.program)}
        for each in built
    ]
    facts = {"model": str(model.path), "steps": len(made.steps), "constants": constants, "arena": made.arena}
    return files, facts | {"golden": tried, "targets": sizes}


def program(output: Path, target: str) -> Path:
    """Where the static program for a target goes."""
    return output.with_name(f"{output.stem}-{target}")


def _check_ends(model: ModelFile, made: Plan) -> None:
    """Compare what the manifest says with the network: C trusts both.

    Raises:
        EdgecnnError: they speak of different images or classes.
    """
    images, labels = prod(model.manifest.input.shape), len(model.manifest.labels)
    if (images, labels) != (made.input.size, made.output.size) or len(model.manifest.input.shape) != 3:
        raise EdgecnnError(
            f"{model.path} takes {made.input.size} values and gives {made.output.size}, but its manifest speaks of"
            f" images of {model.manifest.input.shape} and of {labels} labels: make the file again"
        )


def _golden_inputs(model: ModelFile, made: Plan) -> Bytes:
    """Noise, noise of half the range about its middle, and validation images where they lie beside the model."""
    random, size = np.random.default_rng(0), made.input.size
    noise = random.integers(-128, 128, (2 * _GOLDEN, size)).astype(np.int8)
    noise[_GOLDEN:] //= 2
    beside = model.path.with_name("validation.npz")
    if not beside.exists():
        return noise
    images = read_dataset(beside, model.manifest).images[: 2 * _GOLDEN]
    table = source.pixel_table(made, model.manifest)
    channels = np.arange(images.shape[-1]) % len(table)
    return np.concatenate([noise, table[channels, images].reshape(len(images), size)])


def reference(flatbuffer: bytes, inputs: Bytes, shapes: dict[int, tuple[int, ...]]) -> Bytes:
    """What TFLite's reference kernels give for inputs, (n, bytes).

    Raises:
        EdgecnnError: TFLite cannot run the file, or works out other shapes than it states, by the tensor's place.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        interpreter = Interpreter(model_content=flatbuffer, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise EdgecnnError(f"TFLite does not take the file: {' '.join(str(error).split())[:200]}") from None
    for tensor in interpreter.get_tensor_details():  # C trusts the shapes that the file states
        shape = tuple(tensor["shape"].tolist())
        if shapes.get(tensor["index"], shape) != shape:
            stated = shapes[tensor["index"]]
            raise EdgecnnError(f"the file states {stated} for {tensor['name']!r}, which is {shape}: export it anew")
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found = []
    for each in inputs:
        interpreter.set_tensor(taken["index"], each.reshape(taken["shape"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(given["index"]).ravel())
    return np.stack(found)


def _try(built: Built, symbol: str, inputs: Bytes, outputs: Bytes) -> None:
    """Compare a library for this machine with the reference kernels.

    Raises:
        EdgecnnError: they differ.
    """
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(built.library)
        file.flush()
        found = apart(f"the library for {built.target}", library_outputs, file.name, symbol, inputs, outputs.shape[1])
    if wrong := int((found != outputs).sum()):
        raise EdgecnnError(f"the library differs from TFLite's reference kernels in {wrong} of {outputs.size} outputs")


def library_outputs(path: str, symbol: str, inputs: Bytes, classes: int) -> Bytes:
    """What a library gives for inputs, (n, bytes)."""
    run = getattr(ctypes.CDLL(path), f"{symbol}_run")
    outputs = np.zeros((len(inputs), classes), np.int8)
    for one, given in zip(np.ascontiguousarray(inputs), outputs, strict=True):
        run(ctypes.c_void_p(one.ctypes.data), ctypes.c_void_p(given.ctypes.data))
    return outputs


def _description(manifest: Manifest, made: Plan, symbol: str, output: Path, built: list[Built]) -> dict[str, Any]:
    """What `edgecnn.native` reads; libraries of the same model that are there already stay."""
    ends = (("input", made.graph.input), ("output", made.graph.output))
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "symbol": symbol,
        **source_hashes(manifest),
        "arena": made.arena,
        "multiply_accumulates": sum(step.products for step in made.steps if isinstance(step, Layer)),
    }
    for end, place in ends:
        tensor = made.tensor(place)
        said[end] = {"shape": tensor.shape, "scale": float(tensor.scale), "zero_point": tensor.zero_point}
    entries = {
        each.target: {
            "file": f"{output.stem}-{each.target}.so",
            "sha256": sha256(each.library),
            "program": program(output, each.target).name,
            "program_sha256": sha256(each.program),
        }
        for each in built
    }
    return said | {"libraries": _kept(description(output), said) | entries}


def _kept(path: Path, said: dict[str, Any]) -> dict[str, Any]:
    """The libraries that an earlier description of the same model has."""
    try:
        before = json.loads(path.read_bytes())
        kept: dict[str, Any] = before.pop("libraries")
    except (OSError, ValueError, KeyError):
        return {}
    return kept if before == json.loads(json.dumps(said)) else {}
