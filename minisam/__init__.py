"""Preconditioned sharpness-aware minimization in code that reads like the mathematics."""

__version__ = "0.1.0"
