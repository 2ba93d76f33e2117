"""An implementation on trial: what it claims, the conventions it follows, and what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import draws, problems
from .claims import MAGNITUDE, Claim, Convention, Hyper, ascend, claim_of, length, stretched
from .draws import History
from .oracle import Factory, Record, Step, Unusable, Vector, answer, described, run
from .watch import Clock

ROUNDINGS = 64  # elementwise tolerance in units of rounding; correct code was measured at 7


def unit_roundoff(dtype) -> float:
    """u = 2^-53 in double, 2^-24 in single precision."""
    return float(np.finfo(dtype).eps) / 2


@dataclass
class Setting:
    """One drawn example: everything that is handed to the implementation."""

    rho: float
    lr: float
    hyper: Hyper
    run: History


class Case:
    """``factory`` judged as ``claim``; conventions are found out on construction.

    Attributes
    ----------
    objective : how it reads its objective, a `Convention` (sentence "" is the claim's own)
    notes : sentences that name what it follows, filled by the laws that look at it
    """

    def __init__(self, factory: Factory, claim: str | Claim, clock: Clock | None = None):
        self.factory, self.claim = factory, claim_of(claim)
        self.clock = clock or Clock()
        self.n: int | None = getattr(factory, "n", None)
        self.notes: list[str] = []
        self.seen: list[float] = []
        self._inside: dict[int, Vector] = {}
        self.objective = Convention("", self.claim.objective.reference)
        self.objective = self._convention()

    # what the implementation does

    def step(self, rho: float, lr: float, hyper: Hyper) -> Step:
        """Make a fresh implementation."""
        with self.clock.running():
            copies = {k: x.copy() if isinstance(x, np.ndarray) else x for k, x in hyper.items()}
            step = answer(self.factory, rho=rho, lr=lr, **copies)
        if not callable(step):
            raise Unusable(f"factory returns {described(step)}; a function step(w, grad) is wanted")

        def timed(w, grad) -> Any:
            with self.clock.running(), np.errstate(all="ignore"):
                return step(w, grad)

        return timed

    def take(self, s: Setting, run_: History | None = None, **changes: Any) -> list[Record]:
        """Records of a fresh implementation on the history of ``s``, or on another one.

        ``changes`` replace rho, lr or a hyperparameter.
        """
        h = s.run if run_ is None else run_
        step = self.step(changes.pop("rho", s.rho), changes.pop("lr", s.lr), {**s.hyper, **changes})
        return run(
            step,
            [(w, problems.scripted(w, g, k)) for w, g, k in zip(h.w, h.g, h.h, strict=True)],
        )

    # what it should do

    def inside(self, n: int) -> Vector:
        """Which of n entries an ASAM ball measures with C = 1 instead of |w| + eta: bool (n,).

        C can be read from one step: with v = D g, C_i^2 = eps_i <v, eps> / (rho^2 v_i).
        """
        if self.claim.constraint is not MAGNITUDE:
            return np.zeros(n, dtype=bool)
        if n not in self._inside:
            hyper = self._generic(np.ones(n))
            w, g = 1.0 + np.arange(n), np.ones(n)
            rec = self.take(Setting(0.5, 0.1, hyper, History(w[None], g[None], g[None])))[0]
            v = self.objective.objective([g], **self.claim.split(hyper)[0])
            with np.errstate(all="ignore"):
                C = np.sqrt(rec.eps * (v @ rec.eps) / v) / 0.5
            ones, own = np.abs(C - 1) < 1e-6, np.abs(C - (w + 0.5)) < 1e-6
            mixed = bool(np.all(ones | own)) and (own.any() or n == 1)
            self._inside[n] = ones if mixed else np.zeros(n, dtype=bool)
        return self._inside[n]

    def parts(self, ws, gs, hyper: Hyper) -> tuple[Vector, Vector, float]:
        """D g, C and the share of rho that is used, at the last of the points and gradients."""
        D, C = self.claim.split(hyper)
        gs = [np.asarray(g, dtype=float) for g in gs]
        w = np.asarray(ws[-1], dtype=float)
        with np.errstate(all="ignore"):
            v = self.objective.objective(gs, **D)
            c = self.claim.constraint.reference(w, gs[-1], **C)
        c = np.where(self.inside(len(w)), 1.0, c) if c.ndim == 1 else c
        share = 1.0
        if self.objective.shrinks:
            share = stretched(c, v) / (stretched(c, gs[-1]) or 1.0)
        return v, c, share

    def eps(self, ws, gs, rho: float, hyper: Hyper) -> Vector:
        """The perturbation that the claim defines, at the last of the points and gradients."""
        v, c, share = self.parts(ws, gs, hyper)
        return ascend(v, c, share * rho)

    def expected(self, s: Setting, t: int) -> tuple[Vector, Vector, bool]:
        """eps of step t, its tolerance (n,), and whether the example is well-posed.

        The tolerance is 64 roundings of eps and of its sensitivity to the gradients, plus the
        rounding of w + eps itself. Where D g nearly cancels, eps has no stable direction: such an
        example is not well-posed and decides nothing.
        """
        ws, gs, u = s.run.w[: t + 1], s.run.g[: t + 1].astype(float), unit_roundoff(s.run.dtype)
        e = self.eps(ws, gs, s.rho, s.hyper)
        signs = np.random.default_rng(len(e)).choice([-1.0, 1.0], (4, *gs.shape))
        nudged = [self.eps(ws, gs * (1 + 1e-7 * sign), s.rho, s.hyper) for sign in signs]
        sensitivity = np.max(np.abs(nudged - e), axis=0) / 1e-7
        dense = any(isinstance(x, np.ndarray) and x.ndim == 2 for x in s.hyper.values())
        size = np.abs(e) + sensitivity + (10 * np.max(np.abs(e)) if dense else 0)
        tolerance = ROUNDINGS * u * size + 2 * u * (np.abs(ws[-1]) + np.abs(e))
        posed = np.max(sensitivity) <= 1e4 * np.max(np.abs(e)) or not np.any(e)
        return e, tolerance, bool(posed)

    # the conventions it follows

    def _convention(self) -> Convention:
        """The first reading of the objective that fits a run of generic numbers."""
        candidates = (self.objective, *self.claim.objective.conventions)
        if len(candidates) == 1:
            return self.objective
        s = self.generic()
        w, g = s.run.w, s.run.g
        records = self.take(s)
        for self.objective in candidates:
            off = [
                length(r.eps - self.eps(w[: t + 1], g[: t + 1], s.rho, s.hyper))
                for t, r in enumerate(records)
            ]
            if max(off) < 1e-6:
                return self.objective
        return candidates[0]

    def generic(self, n: int = 6, steps: int = 4) -> Setting:
        """A fixed example of generic numbers."""
        n, rng = self.n or n, np.random.default_rng(7)
        w, (g, h) = rng.uniform(1, 2, (steps, n)), rng.standard_normal((2, steps, n))
        hyper = self._generic((np.arange(n) % 2 == 0).astype(float))
        return Setting(0.5, 0.1, hyper, History(w, g, h))

    def _generic(self, mask: Vector) -> Hyper:
        """Hyperparameters at which all conventions differ."""
        n = len(mask)
        known = {"theta": 0.3, "sigma": 0.6, "lmbda": 0.7, "eta": 0.5, "delta": 1.0, "power": 2}
        known |= {"mask": mask, "D": np.linspace(1, 3, n), "C": np.linspace(2, 0.5, n)}
        return {name: known[name] for name in self.claim.names}

    # examples and failures

    def size(self, draw, low: int = 1, high: int = 5) -> int:
        """Draw the number of parameters, unless the factory fixes it."""
        return self.n or draw(draws.st.integers(low, high))

    def setting(
        self,
        draw,
        *,
        steps: int = 3,
        dtype: str = "",
        low: int = 1,
        dead: bool = True,
        memoryless: int = 1,
    ):
        """Draw a whole example of up to ``steps`` steps, ``memoryless`` where nothing averages."""
        n = self.size(draw, low)
        dtype = dtype or draw(draws.st.sampled_from(["float64", "float32"]))
        T = draw(draws.st.integers(1, steps if self.claim.objective.averages else memoryless))
        rho = draws.twentieths(draw, 1, 40)
        hyper = self.claim.hyper(draw, n, dtype)
        return Setting(rho, 0.25, hyper, draws.history(draw, n, T, dtype, dead))

    def note(self, sentence: str) -> None:
        """Name a convention."""
        if sentence and sentence not in self.notes:
            self.notes.append(sentence)
