"""preSAM: every row against its definition, populations, and the two-pass step (L19, L20, L25)."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minisam as ms
from tests.backends import NUMPY
from tests.rows import Problem, every_row, few, length, problems, run, unlike

long_problems = st.builds(
    Problem, st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(-8, 3), T=st.just(20)
)


@few(3)
@given(problem=long_problems)
@every_row
def test_eps_follows_its_definition_over_20_steps(backend, row, problem):
    h, ws, gs = problem.on(backend)
    eps = run(row.make(h.rho, h, backend.put), backend, ws, gs)
    for e, (v, c) in zip(eps, row.definition(h, ws, gs), strict=True):
        expected = h.rho * c**2 * v / length(c * v)
        assert length((e - expected) / c).max() <= 64 * backend.u * h.rho


@few(3)
@given(problem=problems)
@every_row
def test_a_population_is_its_members(backend, row, problem):
    h, ws, gs = problem.on(backend)
    rule = row.make(h.rho, h, backend.put)
    together = run(rule, backend, ws, gs)
    for i in range(problem.S):
        assert unlike(run(rule, backend, ws[:, i], gs[:, i]), together[:, i]) <= 64 * backend.u
    grid = lambda x: np.stack([x, -x], axis=1)  # population of shape (2, S)
    assert unlike(run(rule, backend, grid(ws), grid(gs))[:, 0], together) <= 64 * backend.u


# --- the step ----------------------------------------------------------------------------------

BASES = [
    ms.SGD(0.1),
    ms.SGD(0.1, momentum=0.9, weight_decay=0.01),
    ms.SGD(0.1, momentum=0.9, nesterov=True),
    ms.Adam(0.1, weight_decay=0.01),
    ms.AdamW(0.1),
]
every_base = pytest.mark.parametrize("base", BASES, ids=repr)


@dataclass
class Recorder:
    """A gradient oracle that answers from a list and writes down where it was asked."""

    backend: object
    answers: np.ndarray

    def __post_init__(self):
        self.asked, self.left = [], list(self.answers)

    def __call__(self, w):
        self.asked.append(self.backend.get(w).copy())
        g = self.left.pop(0)
        return self.backend.put(g.sum(-1)), self.backend.put(g)


def walk(opt, backend, w, gs, hs):
    """Take one step for every pair of answers g (at w) and h (at w + eps)."""
    w = backend.put(w)
    state, steps = opt.init(w), []
    for g, h in zip(gs, hs, strict=True):
        grad = Recorder(backend, np.stack([g, h]))
        before, (w, state, seen) = backend.get(w), opt.step(w, grad, state)
        steps.append((before, grad.asked, backend.get(w), seen))
    return steps


@few(3)
@given(problem=problems)
@every_base
@every_row
def test_L19_L20_two_calls_and_a_base_step_from_the_saved_weights(row, base, problem):
    check_steps(NUMPY, row, base, problem)


@few(3)
@given(problem=problems)
@every_row
def test_L19_L20_on_every_backend(backend, row, problem):
    check_steps(backend, row, BASES[1], problem)


def check_steps(backend, row, base, problem):
    h, ws, gs = problem.on(backend)
    hs = problem._rng(3).standard_normal(gs.shape)  # nothing to do with gs: must leave no trace
    rule = row.make(h.rho, h, backend.put)
    steps = walk(ms.SharpnessAware(rule, base), backend, ws[0], gs, hs)
    eps = run(rule, backend, np.stack([before for before, *_ in steps]), gs)
    state = base.init(backend.put(ws[0]))
    for (before, asked, after, seen), g, h, e in zip(steps, gs, hs, eps, strict=True):
        assert len(asked) == 2
        assert np.array_equal(asked[0], before)
        assert np.array_equal(asked[1], before + e)
        expected, state = base.update(backend.put(before), backend.put(h), state)
        assert np.array_equal(after, backend.get(expected))
        assert np.array_equal(backend.get(seen.eps), e)
        assert np.array_equal(backend.get(seen.g), g)
        assert np.array_equal(backend.get(seen.g_perturbed), backend.host(h))
        assert np.array_equal(backend.get(seen.loss), backend.get(backend.put(g.sum(-1))))
        assert np.array_equal(backend.get(seen.loss_perturbed), backend.get(backend.put(h.sum(-1))))


@few(10)
@given(problem=problems, k=st.integers(-3, 9))
def test_L19_the_weights_come_back_bitwise(backend, problem, k):
    _, ws, gs = problem.on(backend)
    opt = ms.SharpnessAware(ms.SAM(10.0**k), ms.SGD(lr=0))  # eps comparable to w, and far above
    for before, _, after, _ in walk(opt, backend, ws[0], gs, gs):
        assert np.array_equal(after, before)


@few(3)
@given(problem=problems)
@every_base
def test_no_rule_is_the_base_optimizer_with_one_call(backend, base, problem):
    _, ws, gs = problem.on(backend)
    w = backend.put(ws[0])
    plain, state = base.init(w), ms.SharpnessAware(None, base).init(w)
    for g in gs:
        grad = Recorder(backend, g[None])
        expected, plain = base.update(w, backend.put(g), plain)
        w, state, seen = ms.SharpnessAware(None, base).step(w, grad, state)
        assert len(grad.asked) == 1
        assert np.array_equal(backend.get(w), backend.get(expected))
        assert np.array_equal(backend.get(seen.eps), 0 * ws[0])
        assert seen.g_perturbed is seen.g
        assert seen.loss_perturbed is seen.loss


@few(3)
@given(problem=problems)
@every_row
def test_L15_radius_zero_is_the_base_optimizer(backend, row, problem):
    h, ws, gs = problem.on(backend)
    base = ms.SGD(0.1, momentum=0.9)
    aware = ms.SharpnessAware(row.make(0.0, h, backend.put), base)
    plain = walk(ms.SharpnessAware(None, base), backend, ws[0], gs, gs)
    for (*_, after, _), (*_, expected, _) in zip(
        walk(aware, backend, ws[0], gs, gs), plain, strict=True
    ):
        assert np.array_equal(after, expected)


def test_lr_and_rho_of_one_step(backend):
    rng = np.random.default_rng(0)
    w, g = backend.put(rng.standard_normal((3, 5))), rng.standard_normal((2, 3, 5))
    lr, rho = backend.host(rng.random((3, 1))), backend.host(rng.random((3, 1)))
    base = ms.SGD(0.1, momentum=0.9)
    opt = ms.SharpnessAware(ms.ASAM(0.5), base)
    for l, r in ((0.2, 0.25), (backend.put(lr), backend.put(rho))):
        after, _, seen = opt.step(w, Recorder(backend, g), opt.init(w), lr=l, rho=r)
        eps, _ = ms.ASAM(0.5).perturb(w, backend.put(g[0]), None, rho=r)
        expected, _ = base.update(w, backend.put(g[1]), base.init(w), lr=l)
        assert np.array_equal(backend.get(seen.eps), backend.get(eps))
        assert np.array_equal(backend.get(after), backend.get(expected))
    zero, _, seen = opt.step(w, Recorder(backend, g), opt.init(w), lr=0.0, rho=0.0)
    assert np.array_equal(backend.get(zero), backend.get(w))
    assert np.all(backend.get(seen.eps) == 0)


@few(5)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("rule", [ms.SAM(0.3), ms.ASAM(0.3)], ids=repr)
def test_L25_weight_decay_acts_at_w(backend, rule, seed):
    rng = np.random.default_rng(seed)
    H, w = rng.standard_normal((4, 4)), backend.host(rng.standard_normal(4)).astype("float64")
    H, wd, lr = backend.host(H @ H.T).astype("float64"), 0.3, 0.05
    grad = lambda v: (backend.put(0.0), backend.put(H) @ v)
    opt = ms.SharpnessAware(rule, ms.SGD(lr, weight_decay=wd))
    after, _, seen = opt.step(backend.put(w), grad, opt.init(backend.put(w)))
    eps = backend.get(seen.eps).astype("float64")
    scale = length(w).item() + np.linalg.norm(H, 2) * (length(w) + length(eps)).item()
    assert length(eps - np.array(next(definition(rule, w, H @ w)))) <= 1e3 * backend.u * scale
    expected = w - lr * (H @ (w + eps) + wd * w)
    assert length(backend.get(after) - expected) <= 64 * backend.u * scale


def definition(rule, w, g):
    c = 1 if rule == ms.SAM(0.3) else np.abs(w) + 0.01
    yield rule.rho * c**2 * g / length(c * g)


def test_a_row_of_ones_own(backend):
    """Neither D nor C comes from the library: clipped gradients in a box that grows with step."""

    class Sign:
        def init(self, w):
            return 0 * w.ndim

        def weigh(self, w, g, v, state):
            assert w.shape == g.shape == v.shape
            return ms.backend.namespace(v).sign(v), state + 1

    class Twice:
        T = property(lambda self: self)

        def at(self, w, g):
            return self

        def __matmul__(self, u):
            return 2 * u

    g = np.array([3.0, -0.1, 0.0, 2.0])
    rule = ms.PreSAM(0.5, Sign(), Twice())
    assert ms.SharpnessAware(rule, ms.SGD(0.1)).init(backend.put(g)) == (0, None)
    eps, state = rule.perturb(backend.put(g), backend.put(g), rule.init(backend.put(g)))
    assert state == 1
    assert unlike(backend.get(eps), 0.5 * 2 * np.sign(g) / np.sqrt(3)) <= 64 * backend.u


def test_a_rule_prints_itself_whole():
    assert repr(ms.InfoSAM(0.1)) == (
        "PreSAM(rho=0.1, objective=NoiseWeights(theta=0.1, delta=1.0, power=2.0), "
        "constraint=Identity())"
    )


def test_the_defaults_of_the_table():
    """Foret, Kwon, Kim, Li & Giannakis, Li et al., and this project's reading of infoSAM."""
    assert ms.SAM(0.1) == ms.PreSAM(0.1, ms.Identity(), ms.Identity())
    assert ms.ASAM(0.1) == ms.PreSAM(0.1, constraint=ms.Magnitude(0.01))
    assert ms.FisherSAM(0.1) == ms.PreSAM(0.1, constraint=ms.Fisher(1.0))
    assert ms.VaSSO(0.1) == ms.PreSAM(0.1, ms.Averaged(0.1))
    assert ms.FriendlySAM(0.1) == ms.PreSAM(0.1, ms.Friendly(1.0, 0.9))
    assert ms.InfoSAM(0.1) == ms.PreSAM(0.1, ms.NoiseWeights(0.1, 1.0, 2.0))
