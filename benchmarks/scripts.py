"""Scripts that people write today to classify an image, by engine, and edgecnn beside them; for benchmarks.peers.

A function takes the folder of the exports and returns a function from raw pixels, uint8 (height, width, channels), to
the index of the label. The scripts follow the documentation of their engines.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn import Classifier

Image = npt.NDArray[np.uint8]
Classify = Callable[[Image], int]


def edgecnn_native_int8(folder: Path) -> Classify:
    """The library of the model's C, by edgecnn."""
    return _edgecnn(folder / "plain_int8.tflite", "native")


def edgecnn_native_int8_call(folder: Path) -> Classify:
    """The library's call alone."""
    return _call(folder / "plain_int8.tflite", "native")


def edgecnn_litert_int8(folder: Path) -> Classify:
    """LiteRT, int8, by edgecnn."""
    return _edgecnn(folder / "edge_int8.tflite", "litert")


def edgecnn_tflite_float(folder: Path) -> Classify:
    """The engine tflite-runtime, float, by edgecnn."""
    return _edgecnn(folder / "edge_float32.tflite", "tflite")


def edgecnn_onnx_float(folder: Path) -> Classify:
    """ONNX Runtime, float, by edgecnn."""
    return _edgecnn(folder / "edge_float32.onnx", "onnx")


def edgecnn_onnx_int8(folder: Path) -> Classify:
    """ONNX Runtime, int8, by edgecnn."""
    return _edgecnn(folder / "edge_int8.onnx", "onnx")


def _edgecnn(path: Path, engine: str) -> Classify:
    predict = Classifier(path, engine).predict
    return lambda image: predict(image).index


def edgecnn_litert_int8_call(folder: Path) -> Classify:
    """The engine's call alone, of edgecnn's export."""
    return _call(folder / "edge_int8.tflite", "litert")


def plain_litert_int8_call(folder: Path) -> Classify:
    """The engine's call alone, of the plain conversion."""
    return _call(folder / "plain_int8.tflite", "litert")


def _call(path: Path, engine: str) -> Classify:
    classifier = Classifier(path, engine)

    def call(image: Image) -> int:
        classifier.invoke()
        return -1

    return call


def litert_int8_script(folder: Path) -> Classify:
    """LiteRT, int8, as its documentation does it."""
    from ai_edge_litert.interpreter import Interpreter

    return _tflite(Interpreter, folder / "plain_int8.tflite")


def tflite_float_script(folder: Path) -> Classify:
    """The engine tflite-runtime, float, as its documentation does it."""
    from tflite_runtime.interpreter import Interpreter

    return _tflite(Interpreter, folder / "plain_float32_batchany.tflite")


def _tflite(interpreter_class: Any, path: Path) -> Classify:
    interpreter = interpreter_class(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    (in_scale, in_zero), (out_scale, out_zero) = source["quantization"], target["quantization"]

    def classify(image: Image) -> int:
        values = image.astype(np.float32) / 255.0
        if source["dtype"] == np.int8:
            values = np.clip(np.round(values / in_scale + in_zero), -128, 127).astype(np.int8)
        interpreter.set_tensor(source["index"], np.expand_dims(values, 0))
        interpreter.invoke()
        output = interpreter.get_tensor(target["index"])[0]
        if target["dtype"] == np.int8:
            output = (output.astype(np.float32) - out_zero) * out_scale
        return int(np.argmax(output))

    return classify


def onnx_float_script(folder: Path) -> Classify:
    """ONNX Runtime, float, as its documentation does it; the pixels' scale is in the graph."""
    return _onnx(folder / "plain_float32_batchany.onnx")


def onnx_int8_script(folder: Path) -> Classify:
    """ONNX Runtime, int8 (QDQ), as its documentation does it; the pixels' scale is in the graph."""
    return _onnx(folder / "plain_int8_batchany.onnx")


def _onnx(path: Path) -> Classify:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: int(np.argmax(session.run(None, {name: np.expand_dims(image, 0)})[0]))


def keras_predict(folder: Path) -> Classify:
    """Keras, model.predict."""
    model = _keras(folder)
    return lambda image: int(np.argmax(model.predict(image[np.newaxis].astype(np.float32) / 255.0, verbose=0)))


def keras_call(folder: Path) -> Classify:
    """Keras, model(x)."""
    model = _keras(folder)
    return lambda image: int(np.argmax(model(image[np.newaxis].astype(np.float32) / 255.0, training=False)))


def _keras(folder: Path) -> Any:
    import keras

    return keras.models.load_model(folder.parent / "model.keras")


def openvino_float(folder: Path) -> Classify:
    """OpenVINO on the float ONNX, batch fixed."""
    return _openvino(folder / "plain_float32.onnx")


def openvino_int8(folder: Path) -> Classify:
    """OpenVINO on the int8 ONNX (QDQ), batch fixed."""
    return _openvino(folder / "plain_int8.onnx")


def _openvino(path: Path) -> Classify:
    import openvino

    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1"}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda image: int(np.argmax(request.infer({0: np.expand_dims(image, 0)})[0]))


def mnn_float(folder: Path) -> Classify:
    """MNN on the float ONNX, batch fixed, by its own converter."""
    import _tools  # of MNN: what its command mnnconvert calls
    import MNN

    onnx, converted = folder / "plain_float32.onnx", folder / "plain_float32.mnn"
    words = ["-f", "ONNX", "--modelFile", str(onnx), "--MNNModel", str(converted), "--bizCode", "peers"]
    _tools.mnnconvert(["mnnconvert", *words])
    interpreter = MNN.Interpreter(str(converted))
    session = interpreter.createSession({"numThread": 1, "precision": "high"})
    source, target = interpreter.getSessionInput(session), interpreter.getSessionOutput(session)

    def classify(image: Image) -> int:
        pixels = np.expand_dims(image, 0)
        source.copyFrom(MNN.Tensor(pixels.shape, MNN.Halide_Type_Uint8, pixels, MNN.Tensor_DimensionType_Caffe))
        interpreter.runSession(session)
        return int(np.argmax(target.getNumpyData()))

    return classify


def ncnn_float(folder: Path) -> Classify:
    """The engine ncnn, float, on the files of benchmarks.ncnn_files."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.load_param(str(folder / "plain_float32.param"))
    net.load_model(str(folder / "plain_float32.bin"))

    def classify(image: Image) -> int:
        extractor = net.create_extractor()
        pixels = ncnn.Mat.from_pixels(image, ncnn.Mat.PixelType.PIXEL_GRAY, image.shape[1], image.shape[0])
        pixels.substract_mean_normalize([], [1 / 255.0])
        extractor.input("image", pixels)
        return int(np.argmax(np.array(extractor.extract("answer")[1])))

    return classify
