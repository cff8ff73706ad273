"""Microcontrollers."""
