"""What each method of the family claims: the table of special cases, in NumPy, five lines a row.

    eps = argmax { <D g, e> : ||C^-1 e|| <= rho }  =  rho C^2 D g / ||C D g||

(general C: rho C C'D g / ||C'D g||). A row is an *objective*, which turns the gradients seen so
far into D g, and a *constraint*, which is C. Rows compose: ``claim_of("info+asam")`` weighs by
noise inside ASAM's ball. Everything is recomputed from the whole history in float64 and shares no
code with the library's own implementation.

Where the literature knows two readings of a row, both are here: the claim's own and, as a
*convention*, the other one with the sentence that names it. A *suspect* is a wrong formula with
the sentence that names the mistake; it is only used to explain a failure.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import draws
from .oracle import Vector

Hyper = dict[str, Any]


def length(u: Vector) -> float:
    """||u||, safe from under- and overflow."""
    return math.hypot(*map(float, u))


def ascend(v: Vector, C: Vector, rho: float) -> Vector:
    """eps = rho C C'v / ||C'v|| for v = D g: (n,), C (n,) or (n, n); 0 where C'v = 0."""
    u = C.T @ v if C.ndim == 2 else C * v
    N = length(u)
    return rho * (C @ u if C.ndim == 2 else C * u) / N if N > 0 else 0 * v


def stretched(c: Vector, v: Vector) -> float:
    """||C'v||."""
    return length(c.T @ v if c.ndim == 2 else c * v)


def gauge(c: Vector, e: Vector) -> float:
    """||C^-1 e||, over the entries where a diagonal C is not 0."""
    if c.ndim == 2:
        return length(np.linalg.solve(c, e))
    return length(e[c != 0] / c[c != 0])


# The objectives: all gradients so far, g_0 ... g_t, each (n,)  ->  D g


def plain(gs):
    return gs[-1]


def averaged(gs, theta):  # Li and Giannakis 2023 (VaSSO)
    d = gs[0]
    for g in gs[1:]:
        d = (1 - theta) * d + theta * g
    return d


def averaged_from_zero(gs, theta):
    return averaged([0 * gs[0], *gs], theta)


def friendly(gs, sigma, lmbda):  # Li et al. 2024 (FriendlySAM)
    if len(gs) == 1:
        return gs[0]
    m = averaged(gs[:-1], 1 - lmbda)
    return gs[-1] - sigma * m


def friendly_from_zero(gs, sigma, lmbda):
    return gs[-1] - sigma * averaged_from_zero([0 * gs[0], *gs[:-1]], 1 - lmbda)


def friendly_debiased(gs, sigma, lmbda):
    m = averaged_from_zero([0 * gs[0], *gs[:-1]], 1 - lmbda)
    return gs[-1] - sigma * m / (1 - lmbda ** (len(gs) - 1) or 1)


def friendly_updated(gs, sigma, lmbda):
    return gs[-1] - sigma * averaged(gs, 1 - lmbda)


def friendly_updated_from_zero(gs, sigma, lmbda):
    return gs[-1] - sigma * averaged_from_zero(gs, 1 - lmbda)


def friendly_updated_debiased(gs, sigma, lmbda):
    return gs[-1] - sigma * averaged_from_zero(gs, 1 - lmbda) / (1 - lmbda ** len(gs))


def sparse(gs, mask):  # Mi et al. 2022 (SparseSAM)
    return mask * gs[-1]


def variance(gs, theta):
    """Exponentially weighted sample variance of the gradients seen, from the first one on."""
    d, v = gs[0], 0 * gs[0]
    for g in gs[1:]:
        r = g - d
        d, v = d + theta * r, (1 - theta) * (v + theta * r**2)
    return v


def weighed(g, v, delta, power):
    """g / (v + delta mean v)^(power/2), the mean over the entries with noise; g if none has any."""
    if not np.any(v > 0):
        return g
    mean = np.mean(v[v > 0])
    noise = v + delta * mean
    return g * np.where(noise > 0, noise, mean) ** (-power / 2)


def info(gs, theta, delta, power):  # Zhang, Li, Giannakis 2025 (infoSAM)
    return weighed(gs[-1], variance(gs, theta), delta, power)


def given_objective(gs, D):
    return D @ gs[-1] if D.ndim == 2 else D * gs[-1]


# The constraints: w, g (n,)  ->  C


def ball(w, g):
    return np.ones_like(w)


def magnitude(w, g, eta):  # Kwon et al. 2021 (ASAM)
    return abs(w) + eta


def fisher(w, g, eta):  # Kim et al. 2022 (FisherSAM), squared minibatch gradient
    return (1 + eta * g**2) ** -0.5


def given_constraint(w, g, C):
    return C


# Wrong readings, to explain failures


def _noise_squared_last(gs, theta, delta, power):
    v = (gs[-1] - averaged(gs, theta)) ** 2
    return weighed(gs[-1], v, delta, power) if len(gs) > 1 else gs[-1]


def _noise_mean_of_all(gs, theta, delta, power):
    v = variance(gs, theta)
    return gs[-1] * (v + delta * np.mean(v) + (0 if v.any() else 1)) ** (-power / 2)


def _noise_absolute(gs, theta, delta, power):
    return gs[-1] * (variance(gs, theta) + delta) ** (-power / 2) if delta else gs[-1]


def _noise_from_zero(gs, theta, delta, power):
    return weighed(gs[-1], variance([0 * gs[0], *gs], theta), delta, power)


@dataclass(frozen=True)
class Convention:
    """Another reading of a row, as legitimate as the claim's own.

    ``shrinks`` marks the one whose radius is ||C D g|| / ||C g|| of rho.
    """

    sentence: str
    objective: Callable
    shrinks: bool = False


@dataclass(frozen=True)
class Objective:
    """D: ``reference(gs, **hyper) -> D g``; ``turns``: commutes with rotations."""

    reference: Callable
    names: tuple[str, ...] = ()
    turns: bool = True
    averages: bool = False
    conventions: tuple[Convention, ...] = ()
    suspects: tuple[tuple[str, Callable], ...] = ()


@dataclass(frozen=True)
class Constraint:
    """C: ``reference(w, g, **hyper) -> C``; ``turns``: commutes with rotations."""

    reference: Callable
    names: tuple[str, ...] = ()
    turns: bool = True


ZERO = "the average starts at zero"
DEBIASED = "the average starts at zero and is debiased"
UPDATED = "the average subtracted already holds this step's gradient"

PLAIN = Objective(plain)
AVERAGED = Objective(
    averaged,
    ("theta",),
    averages=True,
    conventions=(Convention(ZERO, averaged_from_zero),),
    suspects=(
        ("theta weighing the old average", lambda gs, theta: averaged(gs, 1 - theta)),
        ("the average left out", lambda gs, theta: gs[-1]),
        ("an average that is one step behind", lambda gs, theta: averaged(gs[:-1] or gs, theta)),
    ),
)
FRIENDLY = Objective(
    friendly,
    ("sigma", "lmbda"),
    averages=True,
    conventions=(
        Convention(ZERO, friendly_from_zero),
        Convention(DEBIASED, friendly_debiased),
        Convention(UPDATED, friendly_updated),
        Convention(f"{UPDATED}; {ZERO}", friendly_updated_from_zero),
        Convention(f"{UPDATED}; {DEBIASED}", friendly_updated_debiased),
    ),
    suspects=(
        (
            "lmbda weighing the new gradient",
            lambda gs, sigma, lmbda: friendly(gs, sigma, 1 - lmbda),
        ),
        ("adding the average", lambda gs, sigma, lmbda: friendly(gs, -sigma, lmbda)),
        ("the average left out", lambda gs, sigma, lmbda: gs[-1]),
    ),
)
SPARSE = Objective(
    sparse,
    ("mask",),
    turns=False,
    conventions=(
        Convention(
            "the mask is applied after normalising, so the radius is rho |mask g| / |g|",
            sparse,
            shrinks=True,
        ),
    ),
    suspects=(
        ("the mask left out", lambda gs, mask: gs[-1]),
        ("the mask inverted", lambda gs, mask: (1 - mask) * gs[-1]),
    ),
)
INFO = Objective(
    info,
    ("theta", "delta", "power"),
    turns=False,
    averages=True,
    suspects=(
        (
            "multiplying by the noise instead of dividing",
            lambda gs, theta, delta, power: info(gs, theta, delta, -power),
        ),
        ("a noise estimate from the last gradient alone", _noise_squared_last),
        (
            "theta weighing the old average",
            lambda gs, theta, delta, power: info(gs, 1 - theta, delta, power),
        ),
        ("a mean noise that counts the entries without noise", _noise_mean_of_all),
        ("an absolute floor", _noise_absolute),
        ("an average that starts at zero", _noise_from_zero),
        (
            "the noise itself where its square root belongs",
            lambda gs, theta, delta, power: info(gs, theta, delta, 2 * power),
        ),
        (
            "the square root of the noise where the noise itself belongs",
            lambda gs, theta, delta, power: info(gs, theta, delta, power / 2),
        ),
        ("no floor", lambda gs, theta, delta, power: info(gs, theta, 0, power)),
        ("no weighing by noise", lambda gs, theta, delta, power: gs[-1]),
    ),
)
GIVEN_D = Objective(
    given_objective,
    ("D",),
    turns=False,
    suspects=(
        ("D left out", lambda gs, D: gs[-1]),
        ("D applied twice", lambda gs, D: given_objective([given_objective(gs, D)], D)),
        ("D transposed", lambda gs, D: given_objective(gs, D.T)),
        ("dividing by D", lambda gs, D: gs[-1] / D if D.ndim == 1 else np.linalg.solve(D, gs[-1])),
    ),
)

BALL = Constraint(ball)
MAGNITUDE = Constraint(magnitude, ("eta",), turns=False)
FISHER = Constraint(fisher, ("eta",), turns=False)
GIVEN_C = Constraint(given_constraint, ("C",), turns=False)


@dataclass(frozen=True)
class Claim:
    """What an implementation says it is: an objective in a constraint."""

    name: str
    objective: Objective = PLAIN
    constraint: Constraint = BALL

    @property
    def names(self) -> tuple[str, ...]:
        """The hyperparameters handed to the factory beside rho and lr."""
        return self.objective.names + self.constraint.names

    def hyper(self, draw: Callable, n: int, dtype: str = "float64") -> Hyper:
        """Draw the hyperparameters for n parameters."""
        return {name: draws.HYPER[name](draw, n, dtype) for name in self.names}

    def split(self, hyper: Hyper) -> tuple[Hyper, Hyper]:
        """Hyperparameters of the objective and of the constraint, arrays in float64."""
        wide = {k: x.astype(float) if isinstance(x, np.ndarray) else x for k, x in hyper.items()}
        return (
            {name: wide[name] for name in self.objective.names},
            {name: wide[name] for name in self.constraint.names},
        )


CLAIMS = {
    claim.name: claim
    for claim in (
        Claim("sam"),
        Claim("asam", constraint=MAGNITUDE),
        Claim("fisher", constraint=FISHER),
        Claim("vasso", AVERAGED),
        Claim("friendly", FRIENDLY),
        Claim("sparse", SPARSE),
        Claim("info", INFO),
        Claim("presam", GIVEN_D, GIVEN_C),
    )
}


def claim_of(name: str | Claim) -> Claim:
    """The claim of that name; ``"objective+constraint"`` composes two rows.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest one), or two rows that both fix D or both fix C.
    """
    if isinstance(name, Claim):
        return name
    rows = []
    for part in name.split("+"):
        if part not in CLAIMS:
            near = difflib.get_close_matches(part.lower(), CLAIMS, n=1, cutoff=0.3)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"unknown claim {part!r}: {hint}known are {', '.join(CLAIMS)}")
        rows.append(CLAIMS[part])
    objectives = [row.objective for row in rows if row.objective is not PLAIN] or [PLAIN]
    constraints = [row.constraint for row in rows if row.constraint is not BALL] or [BALL]
    if len(objectives) > 1 or len(constraints) > 1:
        raise ValueError(f"claim {name!r}: at most one objective and one constraint compose")
    return Claim(name, objectives[0], constraints[0])
