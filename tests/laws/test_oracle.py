"""The oracle records what it should, and the problems behind it are what they say."""

import numpy as np
import pytest

from minisam.laws import problems
from minisam.laws.oracle import Oracle, Unusable, run, same


def test_records_every_point_in_order_with_its_minibatch():
    calls = []
    first, second = (Oracle(lambda w, k=k: w * k, k, calls) for k in (1, 2))
    first(np.array([1.0])), second(np.array([2.0])), first(np.array([3.0]))
    assert [(c.batch, c.point[0], c.answer[0]) for c in calls] == [(1, 1, 1), (2, 2, 4), (1, 3, 3)]


def test_the_record_cannot_be_changed_from_outside():
    oracle, w = Oracle(lambda w: w), np.array([1.0])
    g = oracle(w)
    w[0], g[0] = 5.0, 7.0
    assert oracle.calls[0].point[0] == 1.0 and oracle.calls[0].answer[0] == 1.0


def two_pass(w, grad):
    return w - 0.5 * grad(w + 0.25 * np.sign(grad(w)))


def test_reads_eps_update_and_trace():
    w, h = np.array([1.0, -2.0]), np.array([3.0, 4.0])
    (rec,) = run(two_pass, [(w, problems.scripted(w, np.array([2.0, -1.0]), h))])
    assert np.array_equal(rec.eps, [0.25, -0.25])
    assert np.array_equal(rec.h, h) and np.array_equal(rec.out, w - 0.5 * h)
    assert [c.batch for c in rec.calls] == [0, 0] and not rec.spoils


def test_goes_on_from_where_it_arrived_and_numbers_minibatches():
    w = np.array([4.0])
    trip = [(w, lambda w: w), (None, lambda w: 0 * w), (None, lambda w: w)]
    records = run(two_pass, trip)
    assert [r.batch for r in records] == [0, 1, 2]
    assert [r.w[0] for r in records] == [4.0, records[0].out[0], records[1].out[0]]


def test_sees_input_changed_in_place():
    def step(w, grad):
        w -= grad(w)
        return w

    (rec,) = run(step, [(np.array([1.0]), lambda w: w)])
    assert rec.spoils == "its input" and rec.w[0] == 1.0 and rec.out[0] == 0.0


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda w, grad: None, "returns None"),
        (lambda w, grad: [1.0], "returns a list"),
        (lambda w, grad: w[:1], r"shape \(1,\)"),
        (lambda w, grad: w.astype(int), "int"),
        (lambda w, grad: grad(w[:1]), "asks for the gradient at shape"),
        (lambda w, grad: 1 / 0, r"raises ZeroDivisionError: division by zero \(test_oracle.py"),
        (lambda w, grad: exit(3), "raises SystemExit"),
    ],
)
def test_what_is_no_step(step, words):
    with pytest.raises(Unusable, match=words):
        run(step, [(np.ones(2), lambda w: w if len(w) == 2 else np.ones(2))])


def test_same_is_bit_by_bit():
    assert same(np.array([np.nan]), np.array([np.nan]))
    assert not same(np.array([0.0]), np.array([-0.0]))
    assert not same(np.zeros(1), np.zeros(1, "float32"))


def slope(f, w, d, h=1e-6):
    return (f(w + h * d) - f(w - h * d)) / (2 * h)


def test_gradients_of_the_problems():
    rng = np.random.default_rng(0)
    w, b, d = rng.standard_normal((3, 4))
    A = rng.standard_normal((4, 4))
    A = A @ A.T
    f = lambda w: w @ A @ w / 2 - b @ w
    assert np.isclose(problems.quadratic(A, b)(w) @ d, slope(f, w, d))
    f = lambda w: w @ (np.diag(A) * w) / 2 - b @ w
    assert np.isclose(problems.quadratic(np.diag(A), b)(w) @ d, slope(f, w, d))
    f = lambda w: (b @ w - 2.0) ** 2 / 2
    assert np.isclose(problems.least_squares(b, 2.0)(w) @ d, slope(f, w, d))
    assert np.array_equal(problems.linear(b)(w), b)


def test_gradient_and_symmetry_of_the_network():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((5, 2)), rng.standard_normal(5)
    n = problems.two_layer_size(2, 3)
    w, d = rng.standard_normal((2, n))

    def f(w):
        W1, b1, W2 = w[:6].reshape(3, 2), w[6:9], w[9:]
        return np.mean((np.maximum(X @ W1.T + b1, 0) @ W2 - y) ** 2) / 2

    assert np.isclose(problems.two_layer(2, 3, X, y)(w) @ d, slope(f, w, d))
    A = np.concatenate([np.repeat([2.0, 3.0, 5.0], 2), [2, 3, 5], 1 / np.array([2.0, 3, 5])])
    assert np.isclose(f(A * w), f(w))


def test_noise_has_the_scales_asked_for_and_one_value_per_minibatch():
    scales, w = np.array([0.0, 1.0, 10.0]), np.zeros(3)
    make = lambda k: problems.noisy_quadratic(np.ones(3), np.zeros(3), scales, 0, k)(w)
    assert np.array_equal(make(3), make(3)) and not np.array_equal(make(3), make(4))
    spread = np.std([make(k) for k in range(2000)], axis=0)
    assert np.allclose(spread, scales, rtol=0.1)
