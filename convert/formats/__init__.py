"""A module for each format: Keras -> bytes, the layers of the bytes, what is in them."""
