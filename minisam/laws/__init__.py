"""The laws of sharpness-aware minimization, as checks of anybody's implementation.

    from minisam.laws import judge
    print(judge(my_factory, "sam"))

where ``my_factory(rho, lr, ...)`` returns ``step(w, grad) -> next w``. One law at a time:
``minisam.laws.optimality(my_factory, "sam")``. In a test module:
``test_my_sam = tests_for(my_factory, claim="sam")``. On the command line:
``minisam verify FILE.py:FACTORY --as sam``.

To read: `oracle` (what is recorded), `claims` (the formulas), `draws` (the examples), `case` (an
implementation on trial), `search` (from a check to a law), then the laws in the order of their
numbers, `inner`, `symmetry`, `reductions`, `trace`, `state`, `shards`. `expect`, `causes` and
`words` are the laws' helpers.
"""

from .claims import CLAIMS, Claim, claim_of
from .inner import (
    active_constraint,
    composition,
    constraint_gauge,
    duality,
    gradient_scale,
    odd,
    optimality,
    radius_homogeneity,
    support_function,
)
from .oracle import Oracle, Record, run
from .reductions import friendly_average, masked, noise_weights, reductions_to_sam
from .report import LAWS, Report, judge, tests_for
from .search import Law, Verdict
from .shards import m_sharpness, per_example
from .state import causality, definition, degenerate
from .symmetry import (
    loss_scale_and_origin,
    reparametrisation,
    rescaling,
    rotations,
    signed_permutations,
)
from .trace import base_at_w, call_trace, dtype_kept, protocol

__all__ = [
    "CLAIMS",
    "LAWS",
    "Claim",
    "Law",
    "Oracle",
    "Record",
    "Report",
    "Verdict",
    "active_constraint",
    "base_at_w",
    "call_trace",
    "causality",
    "claim_of",
    "composition",
    "constraint_gauge",
    "definition",
    "degenerate",
    "dtype_kept",
    "duality",
    "friendly_average",
    "gradient_scale",
    "judge",
    "loss_scale_and_origin",
    "m_sharpness",
    "masked",
    "noise_weights",
    "odd",
    "optimality",
    "per_example",
    "protocol",
    "radius_homogeneity",
    "reductions_to_sam",
    "reparametrisation",
    "rescaling",
    "rotations",
    "run",
    "signed_permutations",
    "support_function",
    "tests_for",
]
