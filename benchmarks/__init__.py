"""Latency measured, and what is shown of it: `python -m benchmarks.latency`."""
