"""Toy problems with closed forms, and one function for each prediction about SAM on them.

A function that predicts is pure arithmetic. A function ``measure_...`` beside it runs the library's
own optimizer and returns `Comparison` values: predicted beside measured.
"""

from minisam.theory import alignment, averages
from minisam.theory.comparison import Comparison
from minisam.theory.noisy import Additive, FiniteSum, GemanMcClure, LeastSquares, two_functions
from minisam.theory.preconditioned_cycle import (
    asam_cycle,
    ellipse,
    measure_preconditioned_cycle,
    preconditioned_cycle,
    score,
)
from minisam.theory.problems import (
    DiagonalQuadratic,
    ProductValley,
    Quadratic,
    SharpValley,
    SineBowl,
    saddle,
)
from minisam.theory.trajectory import trajectory
from minisam.theory.two_cycle import (
    cycle_amplitude,
    cycle_loss,
    cycle_rate,
    lyapunov,
    lyapunov_minimum,
    lyapunov_violation,
    measure_two_cycle,
    sam_matrix,
    two_point_sum,
    unnormalized_factor,
)

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
    "asam_cycle",
    "averages",
    "cycle_amplitude",
    "cycle_loss",
    "cycle_rate",
    "ellipse",
    "lyapunov",
    "lyapunov_minimum",
    "lyapunov_violation",
    "measure_preconditioned_cycle",
    "measure_two_cycle",
    "preconditioned_cycle",
    "saddle",
    "sam_matrix",
    "score",
    "trajectory",
    "two_functions",
    "two_point_sum",
    "unnormalized_factor",
]
