"""Convert networks of the kinds that people bring, in one process: python tests/convert_networks.py NAME...

Prints, as JSON, by network: the largest difference of a probability to Keras's for each conversion, and what it
counts; or the error.
"""

import json
import sys

import keras
import networks
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter

from convert.equivalence import work
from convert.formats.onnx import onnx_from_keras
from convert.formats.onnx_quantize import quantize_static
from convert.formats.tflite import FLOAT, tflite_from_keras
from convert.formats.tflite_graph import contents
from convert.variant import PLAIN
from edgecnn.command import quiet
from edgecnn.manifest import Input

IMAGES = 16


def tflite_outputs(data, values):
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    (entry,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for value in values:
        scale, zero_point = entry["quantization"]
        stored = (np.rint(value / scale) + zero_point).clip(-128, 127) if scale else value
        interpreter.set_tensor(entry["index"], stored[np.newaxis].astype(entry["dtype"]))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(output["index"])[0].astype(np.float32))
    scale, zero_point = output["quantization"]
    return np.stack(outputs) if scale == 0 else (np.stack(outputs) - zero_point) * scale


def onnx_outputs(data, pixels):
    session = onnxruntime.InferenceSession(data)
    assert [entry.name for entry in session.get_inputs()] == ["pixels"]
    return np.concatenate([session.run(None, {"pixels": image[np.newaxis]})[0] for image in pixels])


def converted(name):
    keras.utils.set_random_seed(0)
    model = getattr(networks, name)()
    networks.vary(model)
    shape = tuple(model.inputs[0].shape[1:])
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, *shape), np.uint8)
    values, entry = pixels.astype(np.float32) / 255, Input(shape, (1 / 255,), (0.0,))
    expected = model.predict(values, verbose=0)
    with quiet():
        float_onnx, again = onnx_from_keras(model, entry), onnx_from_keras(model, entry)
        float_tflite, int8_tflite = (tflite_from_keras(model, values, variant) for variant in (FLOAT, PLAIN))
        outputs = {
            "tflite": tflite_outputs(float_tflite, values),
            "tflite int8": tflite_outputs(int8_tflite, values),
            "onnx": onnx_outputs(float_onnx, pixels),
            "onnx int8": onnx_outputs(quantize_static(float_onnx, pixels), pixels),
        }
    errors = {variant: float(np.abs(answers - expected).max()) for variant, answers in outputs.items()}
    operators = contents(float_tflite).operators
    return {**errors, "work": work(model), "same": float_onnx == again, "operators": operators}


def converted_or_error(name):
    try:
        return converted(name)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:500]}


if __name__ == "__main__":
    print(json.dumps({name: converted_or_error(name) for name in sys.argv[1:]}))
