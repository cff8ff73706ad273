"""Export a Keras classifier: `python -m convert.tflite`, `python -m convert.onnx`."""
