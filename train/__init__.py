"""Fit the reference CNN: `python -m train`."""
