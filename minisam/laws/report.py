"""All laws on one implementation: the report, and the same as tests for pytest."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass

from . import inner, reductions, shards, state, symmetry, trace
from .claims import Claim, claim_of
from .oracle import Factory
from .search import EXAMPLES, TIMEOUT, Law, Verdict

LAWS: tuple[Law, ...] = (
    trace.protocol,
    inner.optimality,
    inner.active_constraint,
    inner.gradient_scale,
    inner.odd,
    inner.constraint_gauge,
    inner.radius_homogeneity,
    inner.duality,
    inner.composition,
    inner.support_function,
    symmetry.signed_permutations,
    symmetry.rotations,
    symmetry.loss_scale_and_origin,
    symmetry.rescaling,
    symmetry.reparametrisation,
    reductions.reductions_to_sam,
    reductions.friendly_average,
    reductions.noise_weights,
    reductions.masked,
    trace.call_trace,
    state.causality,
    state.degenerate,
    shards.m_sharpness,
    shards.per_example,
    trace.dtype_kept,
    trace.base_at_w,
    state.definition,
)


@dataclass(frozen=True)
class Report:
    """What all laws say about one implementation; ``str(report)`` is the table."""

    claim: str
    verdicts: tuple[Verdict, ...]

    @property
    def ok(self) -> bool:
        """Whether no law fails and nothing was unusable."""
        return all(v.ok for v in self.verdicts)

    @property
    def conventions(self) -> list[str]:
        """The conventions found, each once."""
        notes = [v.message for v in self.verdicts if v.kind == "convention"]
        return list(dict.fromkeys(notes))

    @property
    def causes(self) -> list[str]:
        """The likely mistakes, the one that explains most laws first."""
        seen = Counter(v.cause for v in self.verdicts if v.cause)
        return [cause for cause, _ in seen.most_common()]

    def count(self, kind: str) -> int:
        """How many laws gave this kind of verdict."""
        return sum(v.kind == kind for v in self.verdicts)

    @property
    def summary(self) -> str:
        """One line."""
        kinds = ("holds", "convention", "inapplicable", "fails", "unusable")
        words = {
            "holds": "hold",
            "convention": "hold under a named convention",
            "fails": "FAIL",
            "unusable": "UNUSABLE",
        }
        parts = [f"{self.count(k)} {words.get(k, k)}" for k in kinds if self.count(k)]
        return f"{self.claim}: " + ", ".join(parts)

    def __str__(self) -> str:
        return "\n".join([*map(row, self.verdicts), "", self.closing])

    @property
    def closing(self) -> str:
        """The conventions, the likely causes, and the summary."""
        lines = [f"convention: {x}" for x in self.conventions]
        lines += [f"most likely: {self.causes[0]}"] if self.causes else []
        return "\n".join([*lines, self.summary])

    def to_json(self, **more) -> str:
        """The verdicts as JSON, with ``more`` beside them."""
        return json.dumps(
            {
                "claim": self.claim,
                "ok": self.ok,
                "summary": self.summary,
                "conventions": self.conventions,
                "causes": self.causes,
                **more,
                "verdicts": [asdict(v) for v in self.verdicts],
            },
            indent=2,
        )


def row(v: Verdict) -> str:
    """One line of the table."""
    word = v.kind if v.ok else v.kind.upper()
    return f"{v.law:>3}  {v.name:<30}  {word:<12}  {v.message}".rstrip()


def judge(
    factory: Factory,
    claim: str | Claim = "sam",
    *,
    examples: int = EXAMPLES,
    seed: int = 0,
    timeout: float = TIMEOUT,
    laws: tuple[Law, ...] = LAWS,
    progress=None,
) -> Report:
    """Judge ``factory`` as ``claim`` by every law.

    Parameters
    ----------
    factory : ``factory(rho=..., lr=..., **hyper) -> step``, ``step(w, grad) -> next w`` under
        plain gradient descent. An attribute ``factory.n`` says that only vectors of length n fit.
    claim : sam, asam, fisher, vasso, friendly, sparse, info, presam, or two composed ("info+asam")
    examples : random examples per law
    seed : makes the search reproducible
    timeout : seconds that one call may take
    progress : called with each `Verdict` as it comes

    Raises
    ------
    ValueError
        For an unknown claim.
    """
    claim = claim_of(claim)
    verdicts: list[Verdict] = []
    for law in laws:
        dead = verdicts and verdicts[0].kind == "unusable" and not _changes_input(verdicts[0])
        if dead and law.applies(claim) is None:
            verdict = Verdict(
                law.number, law.name, "unusable", "not judged: see " + verdicts[0].law
            )
        else:
            verdict = law(factory, claim, examples=examples, seed=seed, timeout=timeout)
        verdicts.append(verdict)
        if progress is not None:
            progress(verdict)
    return Report(claim.name, tuple(verdicts))


def _changes_input(verdict: Verdict) -> bool:
    return verdict.message.startswith("changes ")


def tests_for(factory: Factory, claim: str | Claim = "sam", **options):
    """Return a test function for pytest, one test per law that the claim promises.

    >>> test_my_sam = tests_for(my_factory, claim="sam")  # doctest: +SKIP

    ``options`` are those of a law: examples, seed, timeout.
    """
    import pytest

    claim = claim_of(claim)
    laws = [law for law in LAWS if law.applies(claim) is None]

    @pytest.mark.parametrize("law", laws, ids=[f"{x.number}-{x.name}" for x in laws])
    def test(law):
        verdict = law(factory, claim, **options)
        assert verdict.ok, str(verdict)

    return test


tests_for.__test__ = False  # type: ignore[attr-defined]  # its name looks like a test's
