"""Toy problems with closed forms, and one function for each prediction about SAM on them.

A function that predicts is pure arithmetic. A function ``measure_...`` beside it runs the library's
own optimizer and returns `Comparison` values: predicted beside measured.
"""

from minisam.theory.comparison import Comparison
from minisam.theory.noisy import Additive, FiniteSum, GemanMcClure, LeastSquares, two_functions
from minisam.theory.problems import (
    DiagonalQuadratic,
    ProductValley,
    Quadratic,
    SharpValley,
    SineBowl,
    saddle,
)
from minisam.theory.trajectory import trajectory

__all__ = [
    "Additive",
    "Comparison",
    "DiagonalQuadratic",
    "FiniteSum",
    "GemanMcClure",
    "LeastSquares",
    "ProductValley",
    "Quadratic",
    "SharpValley",
    "SineBowl",
    "saddle",
    "trajectory",
    "two_functions",
]
