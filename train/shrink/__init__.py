"""Smaller networks from a trained one: whole channels are removed, and what is left is fitted again."""
