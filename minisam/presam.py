"""PreSAM: one formula, the table of its special cases, and the two-pass step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from minisam.backend import Array, namespace, unit
from minisam.checks import (
    check_fields,
    check_floating,
    check_methods,
    check_same_dtype,
    check_same_home,
    override,
)
from minisam.optimizers import BaseOptimizer
from minisam.preconditioners import (
    Averaged,
    Constraint,
    Fisher,
    Friendly,
    Identity,
    Magnitude,
    Mask,
    NoiseWeights,
    Objective,
)


@dataclass(frozen=True)
class PreSAM:
    """The perturbation of preconditioned SAM (Zhang, Li & Giannakis, ICASSP 2025).

    ::

        eps = argmax { <D g, e> : ||C^-1 e|| <= rho } = rho C C^T D g / ||C^T D g||

    and eps = 0 where ``C^T D g = 0``. For diagonal C this is ``rho C^2 D g / ||C D g||``.

    Parameters
    ----------
    rho
        Radius of the ball, >= 0, in units of the parameters (of ``C^-1 w``).
    objective
        D, the objective preconditioner (OP).
    constraint
        C, the constraint preconditioner (CP).
    """

    rho: float
    objective: Objective = Identity()
    constraint: Constraint = Identity()

    def __post_init__(self):
        check_fields(self, rho=(0, inf))
        check_methods("objective", self.objective, "init", "weigh")
        check_methods("constraint", self.constraint, "at")

    def init(self, w: Array) -> Any:
        """Return the state before the first step."""
        return self.objective.init(w)

    def perturb(self, w: Array, g: Array, state: Any, rho: Any = None) -> tuple[Array, Any]:
        """Return ``eps`` (..., n) and the new state, given weights and gradient of that shape.

        ``rho`` overrides the radius for this step: a number, or an array that broadcasts against
        ``w``, such as (S, 1) for a population.

        Raises
        ------
        ValueError
            If ``w`` and ``g`` differ in shape, dtype, library or device, or are not floating.
        """
        _check(w, g)
        rho = self.rho if rho is None else override("rho", rho)
        v, state = self.objective.weigh(w, g, g, state)  # D g
        C = self.constraint.at(w, g)
        return C @ unit(C.T @ v, rho), state


# The table. Each row one line: rho, objective D, constraint C.
# fmt: off

def SAM(rho: float) -> PreSAM:
    """Foret et al. 2021: D = C = I."""
    return PreSAM(rho)

def ASAM(rho: float, eta: float = 0.01) -> PreSAM:
    """Kwon et al. 2021: C = |w| + eta."""
    return PreSAM(rho, constraint=Magnitude(eta))

def FisherSAM(rho: float, eta: float = 1.0) -> PreSAM:
    """Kim et al. 2022: C = (1 + eta g^2)^(-1/2)."""
    return PreSAM(rho, constraint=Fisher(eta))

def VaSSO(rho: float, theta: float = 0.1) -> PreSAM:
    """Li & Giannakis 2023: D g = d_t, the running average of the gradients."""
    return PreSAM(rho, objective=Averaged(theta))

def FriendlySAM(rho: float, sigma: float = 1.0, lmbda: float = 0.9) -> PreSAM:
    """Li et al. 2024: D g = g - sigma m_{t-1}, the gradient without its running average."""
    return PreSAM(rho, objective=Friendly(sigma, lmbda))

def SparseSAM(rho: float, mask: Array) -> PreSAM:
    """Mi et al. 2022: D g = mask * g."""
    return PreSAM(rho, objective=Mask(mask))

def InfoSAM(rho: float, theta: float = 0.1, delta: float = 1.0, power: float = 2.0) -> PreSAM:
    """Zhang, Li & Giannakis 2025: D g = g / (v_t + delta mean v_t)^(power/2), v_t the noise."""
    return PreSAM(rho, objective=NoiseWeights(theta, delta, power))

# fmt: on


class State(NamedTuple):
    """State of ``SharpnessAware``: the running averages of D, and the base optimizer's own."""

    rule: Any
    base: Any


class Seen(NamedTuple):
    """What one step saw: loss and gradient at ``w`` and at ``w + eps``."""

    loss: Array
    g: Array
    eps: Array
    loss_perturbed: Array
    g_perturbed: Array


@dataclass(frozen=True)
class SharpnessAware:
    """The step of every method in the table: ``w+ = base step at w, gradient taken at w + eps``.

    Parameters
    ----------
    rule
        What finds eps: a ``PreSAM``, or any object with its ``init`` and ``perturb``. ``None`` is
        the plain base optimizer, one gradient a step.
    base
        The base optimizer, such as ``SGD(lr=0.1, momentum=0.9)``.
    """

    rule: PreSAM | None
    base: BaseOptimizer

    def __post_init__(self):
        if self.rule is not None:
            check_methods("rule", self.rule, "init", "perturb")
        check_methods("base", self.base, "init", "update")

    def init(self, w: Array) -> State:
        """Return the state before the first step."""
        return State(None if self.rule is None else self.rule.init(w), self.base.init(w))

    def step(
        self,
        w: Array,
        grad: Callable[[Array], tuple[Array, Array]],
        state: State,
        lr: Any = None,
        rho: Any = None,
    ) -> tuple[Array, State, Seen]:
        """Return the next weights, the next state, and what was seen on the way.

        ``grad`` is a function ``w -> (loss, g)`` with one minibatch fixed inside it, so both passes
        see the same data. ``lr`` and ``rho`` override the configured values for this step.
        """
        loss, g = grad(w)
        if self.rule is None:
            _check(w, g)
            eps, rule, loss_perturbed, g_perturbed = namespace(w).zeros_like(w), None, loss, g
        else:
            eps, rule = self.rule.perturb(w, g, state.rule, rho)
            loss_perturbed, g_perturbed = grad(w + eps)
        # w itself, never (w + eps) - eps, which would not give w back
        w, base = self.base.update(w, g_perturbed, state.base, lr)
        return w, State(rule, base), Seen(loss, g, eps, loss_perturbed, g_perturbed)


def _check(w: Array, g: Array) -> None:
    check_same_home(w=w, g=g)
    check_floating("w", w)
    check_same_dtype(w=w, g=g)
    if w.ndim == 0 or w.shape[-1] == 0:
        raise ValueError(f"w must have shape (..., n), n >= 1, got {tuple(w.shape)}")
    if w.shape != g.shape:
        raise ValueError(f"g must have the shape of w, {tuple(w.shape)}, got {tuple(g.shape)}")
