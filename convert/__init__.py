"""Convert a Keras classifier to TFLite, ONNX and C; nothing is written that loses too much against the float model.

The commands `python -m convert` (several variants), `convert.tflite`, `convert.onnx`, `convert.c`, `convert.verify`,
`convert.debug` and `convert.adopt` turn options into words. Below them, in the order in which a model passes through:

    parent.py            the float model and its images; workstation/ loads it and replaces a manifest that is missing
    variant.py           the ways to export, a row each: format, quantization, which rewrites
    rewrites/            other layers with the same outputs; equivalence.py proves that they are the same
    formats/             Keras -> bytes, a file for each format; c/ writes C of the int8 TFLite bytes
    conversion.py        the bytes on every engine (processes/engine_answers.py), against the float model (proof.py)
    gate.py              refuses or writes; mixed_precision.py keeps layers in float until the gate passes
    model_card.py        models.json and models.md; summary.py is what a command prints
"""
