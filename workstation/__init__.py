"""What train, convert, benchmarks and deploy share and no device needs.

The table of boards, the C compiler, charts; how a Keras classifier is loaded (`keras_files/`, `foreign_model.py`) and
traced for TFLite (`frozen_graph.py`, `tflite_converter.py`).
"""
