"""The claims' formulas on numbers worked out by hand, and what the search draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisam.laws import claim_of, draws
from minisam.laws.claims import (
    CLAIMS,
    ascend,
    averaged,
    fisher,
    friendly,
    friendly_debiased,
    friendly_updated,
    info,
    length,
    variance,
)

ONE = np.ones(1)


def test_length_neither_over_nor_underflows():
    assert np.isclose(length(np.array([3e200, 4e200])) / 5e200, 1)
    assert np.isclose(length(np.array([3e-200, 4e-200])) / 5e-200, 1)


def test_ascend_by_hand():
    assert np.allclose(ascend(np.array([3.0, 4.0]), np.ones(2), 0.5), [0.3, 0.4])
    # C = (2, 1): C v = (6, 8), C^2 v = (12, 8), so eps = rho (1.2, 0.8)
    assert np.allclose(ascend(np.array([3.0, 8.0]), np.array([2.0, 1.0]), 1.0), [1.2, 0.8])
    C = np.array([[1.0, 2.0], [0.0, 1.0]])
    u = C.T @ [1.0, 1.0]
    assert np.allclose(ascend(np.ones(2), C, 2.0), 2 * C @ u / np.sqrt(u @ u))
    assert np.array_equal(ascend(np.zeros(2), np.ones(2), 1.0), [0, 0])


@given(st.data())
def test_ascend_is_the_maximum(data):
    n = data.draw(st.integers(1, 4))
    C, v = draws.matrix(data.draw, n), draws.nonzero(data.draw, n)
    e = ascend(v, C, 0.5)
    C = C if C.ndim == 2 else np.diag(C)
    assert np.isclose(length(np.linalg.solve(C, e)), 0.5)
    z = draws.entries(data.draw, n)
    other = C @ z * 0.5 / (length(z) or 1)
    assert v @ other <= v @ e * (1 + 1e-12)


def test_averages_by_hand():
    gs = [1 * ONE, 2 * ONE, 4 * ONE]
    assert averaged(gs, 0.5)[0] == 2.75  # 1, 1.5, 2.75
    assert friendly(gs[:1], 0.5, 0.75)[0] == 1
    assert friendly(gs, 0.5, 0.75)[0] == 4 - 0.5 * 1.25  # m: 1, 1.25
    assert friendly_updated(gs, 0.5, 0.75)[0] == 4 - 0.5 * 1.9375
    assert np.isclose(friendly_debiased(gs[:2], 0.5, 0.75)[0], 2 - 0.5 * 1)


def test_variance_is_the_weighted_sample_variance():
    gs, theta = np.random.default_rng(0).standard_normal((7, 3)), 0.3
    p = theta * (1 - theta) ** np.arange(6, -1, -1)
    p[0] /= theta
    mean = p @ gs
    assert np.allclose(variance(gs, theta), p @ (gs - mean) ** 2)


def test_info_by_hand():
    gs = [np.array([0.0, 1.0, 0.0]), np.array([2.0, 5.0, 0.0])]
    v = 0.25 * np.array([4.0, 16.0, 0.0])  # theta (1 - theta) r^2 at theta = 1/2
    assert np.allclose(variance(gs, 0.5), v)
    assert np.allclose(info(gs, 0.5, 1.0, 2), gs[1] / (v + 2.5))  # the mean is over 1 and 4
    assert np.allclose(info(gs, 0.5, 0.0, 1), gs[1] / np.sqrt([1.0, 4.0, 2.5]))
    assert np.array_equal(info(gs, 0.5, 1.0, 0), gs[1])
    assert np.array_equal(info(gs[:1], 0.5, 1.0, 2), gs[0])


def test_fisher_by_hand():
    assert np.allclose(fisher(ONE, np.sqrt(3) * ONE, 1.0), 0.5)


def test_names():
    assert set(CLAIMS) == {
        "sam", "asam", "fisher", "vasso", "friendly", "sparse", "info", "presam"
    }  # fmt: skip
    assert claim_of("info+asam").names == ("theta", "delta", "power", "eta")
    assert claim_of("asam+info").names == claim_of("info+asam").names
    with pytest.raises(ValueError, match="did you mean vasso"):
        claim_of("vaso")
    with pytest.raises(ValueError, match="at most one objective"):
        claim_of("info+vasso")


@given(st.data())
def test_draws_are_what_they_say(data):
    n, steps = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    h = draws.history(data.draw, n, steps, "float32")
    assert h.w.shape == h.g.shape == h.h.shape == (steps, n)
    assert h.w.dtype == h.g.dtype == h.h.dtype == np.float32
    dead = ~np.any(h.g, axis=0)
    moves = np.diff(h.g, axis=0)
    assert np.all((moves != 0) | dead)  # noise is exactly 0 or well above rounding
    assert np.all(draws.nonzero(data.draw, n) != 0)
    assert np.all(draws.positive(data.draw, n) > 0)
    m = draws.mask(data.draw, n)
    assert m.any() and set(m) <= {0.0, 1.0}
    C = draws.matrix(data.draw, n)
    assert np.linalg.cond(C if C.ndim == 2 else np.diag(C)) < 100
    for claim in CLAIMS.values():
        assert tuple(claim.hyper(data.draw, n)) == claim.names
