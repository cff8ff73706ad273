"""Quantization-aware training: `python -m train.qat`."""
