"""Toy problems with closed forms, and one function for each prediction about SAM on them.

One module for each idea: ``theory.two_cycle.cycle_amplitude(lr, rho, lam)``. What predicts is
arithmetic. A function ``measure_...`` beside it runs the library's own optimizer and returns
`Comparison` values: predicted beside measured.
"""

from minisam.theory import (
    alignment,
    averages,
    bounds,
    drift,
    edge,
    family,
    federated,
    federated_digits,
    floors,
    noise,
    preconditioned_cycle,
    product_valley,
    radius,
    saddle_escape,
    second_order,
    two_cycle,
)
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
    "alignment",
    "averages",
    "bounds",
    "drift",
    "edge",
    "family",
    "federated",
    "federated_digits",
    "floors",
    "noise",
    "preconditioned_cycle",
    "product_valley",
    "radius",
    "saddle",
    "saddle_escape",
    "second_order",
    "trajectory",
    "two_cycle",
    "two_functions",
]
