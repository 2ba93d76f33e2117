"""Wrong implementations of the family, to see the predictions fail on them.

``broken(name, D, C)`` is an optimizer in the place of ``SharpnessAware(PreSAM(0, D, C), SGD(0))``:
the radius and the learning rate are given step by step. ``RULES`` get eps wrong, ``STEPS`` get
eps right and use it wrongly.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minisam.backend import norm, unit
from minisam.optimizers import SGD
from minisam.preconditioners import Identity
from minisam.presam import PreSAM, Seen, SharpnessAware

# what takes v = D g, the operator C, the raw gradient g and rho to eps
RULES = {
    "C instead of C^2": lambda v, C, g, rho: rho * unit(C.T @ v),
    "norm without C": lambda v, C, g, rho: rho * (C @ (C.T @ v)) / norm(v),
    "norm without D": lambda v, C, g, rho: rho * (C @ (C.T @ v)) / norm(C.T @ g),
    "D forgotten": lambda v, C, g, rho: rho * (C @ unit(C.T @ g)),
    "squared norm": lambda v, C, g, rho: rho * (C @ unit(C.T @ v)) / norm(C.T @ v),
    "not normalized": lambda v, C, g, rho: rho * (C @ (C.T @ v)),
    "descent": lambda v, C, g, rho: -rho * (C @ unit(C.T @ v)),
    "root mean square as norm": lambda v, C, g, rho: (
        rho * np.sqrt(v.shape[-1]) * (C @ unit(C.T @ v))
    ),
    "twice the radius": lambda v, C, g, rho: 2 * rho * (C @ unit(C.T @ v)),
}


@dataclass(frozen=True)
class Rule:
    formula: Any
    objective: Any
    constraint: Any

    def init(self, w):
        return self.objective.init(w)

    def perturb(self, w, g, state, rho):
        v, state = self.objective.weigh(w, g, g, state)
        return self.formula(v, self.constraint.at(w, g), g, rho), state


@dataclass(frozen=True)
class StepAtPerturbed:
    """The weights are not restored: the base step starts from w + eps."""

    rule: Any

    def init(self, w):
        return self.rule.init(w)

    def step(self, w, grad, state, lr, rho):
        loss, g = grad(w)
        eps, state = self.rule.perturb(w, g, state, rho)
        seen = Seen(loss, g, eps, *grad(w + eps))
        return w + eps - lr * seen.g_perturbed, state, seen


@dataclass(frozen=True)
class GradientAtStart:
    """The second gradient is taken at w again."""

    rule: Any

    def init(self, w):
        return self.rule.init(w)

    def step(self, w, grad, state, lr, rho):
        loss, g = grad(w)
        eps, state = self.rule.perturb(w, g, state, rho)
        return w - lr * g, state, Seen(loss, g, eps, loss, g)


STEPS = {"step at w + eps": StepAtPerturbed, "gradient at w": GradientAtStart}


def broken(name, D=Identity(), C=Identity()):  # noqa: B008
    """The optimizer with the bug ``name``."""
    if name in STEPS:
        return STEPS[name](PreSAM(0.0, D, C))
    return SharpnessAware(Rule(RULES[name], D, C), SGD(0.0))  # type: ignore[arg-type]
