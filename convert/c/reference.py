"""Golden inputs of a network, and what TFLite's reference kernels and a library of its C make of them."""

import ctypes
import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.c.build import Built
from convert.c.c_text import pixel_table
from convert.c.plan import Plan
from convert.c.step import Bytes
from convert.processes.engine_answers import in_engine_process
from edgecnn.dataset_reading import read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import ModelFile

_GOLDEN = 4  # inputs of noise, as many of mid-range noise, twice as many images
_THREADS = (1, 2, 3)  # with which a library is tried


def golden_inputs(model: ModelFile, plan: Plan) -> Bytes:
    """Noise, noise of half the range about its middle, and validation images where they lie beside the model.

    Returns:
        Inputs of the network, (n, bytes).
    """
    random, size = np.random.default_rng(0), plan.input.size
    noise = random.integers(-128, 128, (2 * _GOLDEN, size)).astype(np.int8)
    noise[_GOLDEN:] //= 2
    beside = model.path.with_name("validation.npz")
    if not beside.exists():
        return noise
    images = read_dataset(beside, model.manifest).sample(2 * _GOLDEN).images
    table = pixel_table(plan, model.manifest)
    channels = np.arange(images.shape[-1]) % len(table)
    return np.concatenate([noise, table[channels, images].reshape(len(images), size)])


def golden_outputs(model: ModelFile, plan: Plan, inputs: Bytes) -> Bytes:
    """What TFLite's reference kernels give for inputs, (n, bytes), in a process of its own.

    Raises:
        EdgecnnError: TFLite cannot run the file, or works out other shapes than it states.
    """
    operators = plan.network.operators
    places = {place for operator in operators for place in (*operator.inputs, *operator.outputs)}
    shapes = {place: plan.tensor(place).shape for place in places}
    return in_engine_process(f"{model.path} on the reference kernels", reference_outputs, model.data, inputs, shapes)


def reference_outputs(flatbuffer: bytes, inputs: Bytes, shapes: dict[int, tuple[int, ...]]) -> Bytes:
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
    (first,), (last,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for row in inputs:
        interpreter.set_tensor(first["index"], _stored(row, first["dtype"]).reshape(first["shape"]))
        interpreter.invoke()
        outputs.append(_stored(interpreter.get_tensor(last["index"]).ravel(), np.int8))
    return np.stack(outputs)


def _stored(values: npt.NDArray[Any], dtype: Any) -> npt.NDArray[Any]:
    """The same values as int8 or uint8: C takes and gives int8 where the file has uint8, 128 more."""
    return values if values.dtype == dtype else (values.view(np.uint8) ^ np.uint8(128)).view(dtype)


def try_library(built: Built, symbol: str, inputs: Bytes, outputs: Bytes) -> None:
    """Compare a library for this machine with the reference kernels.

    Raises:
        EdgecnnError: they differ.
    """
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(built.library)
        file.flush()
        label = f"the library for {built.target}"
        computed = in_engine_process(label, library_outputs, file.name, symbol, inputs, outputs.shape[1])
    if wrong := int((computed != outputs).sum()):
        raise EdgecnnError(f"the library differs from TFLite's reference kernels in {wrong} of {computed.size} outputs")


def library_outputs(path: str, symbol: str, inputs: Bytes, classes: int) -> Bytes:
    """What a library gives for inputs, (n, bytes), with each number of threads: (numbers, n, classes)."""
    run = getattr(ctypes.CDLL(path), f"{symbol}_run_on")
    outputs = np.zeros((len(_THREADS), len(inputs), classes), np.int8)
    for threads, rows in zip(_THREADS, outputs, strict=True):
        for row, output in zip(np.ascontiguousarray(inputs), rows, strict=True):
            run(threads, ctypes.c_void_p(row.ctypes.data), ctypes.c_void_p(output.ctypes.data))
    return outputs
