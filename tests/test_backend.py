"""backend: norm and unit over the whole range, moving arrays, random numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisam import backend as B
from minisam import checks
from tests.backends import NUMPY
from tests.rows import few

seeds = st.integers(0, 2**32 - 1)


def vectors(backend, seed, exponent):
    """Three vectors of the order of 2^exponent, in float32 of an eighth of the exponent."""
    exponent = exponent // 8 if backend.dtype == "float32" else exponent
    u = np.random.default_rng(seed).standard_normal((3, 7))
    return backend.host(np.ldexp(u, exponent)), exponent


@few(10)
@given(seed=seeds, exponent=st.integers(-1000, 1000))
def test_norm_and_unit(backend, seed, exponent):
    u, k = vectors(backend, seed, exponent)
    moderate = np.ldexp(u.astype("float64"), -k)
    length = np.sqrt((moderate**2).sum(-1, keepdims=True))
    norm, unit = backend.get(B.norm(backend.put(u))), backend.get(B.unit(backend.put(u)))
    assert norm.shape == (3, 1)
    assert np.abs(np.ldexp(norm.astype("float64"), -k) / length - 1).max() <= 8 * backend.u
    assert np.abs(unit - moderate / length).max() <= 8 * backend.u


@few(10)
@given(seed=seeds, exponent=st.integers(-900, 900))
def test_powers_of_two_pass_through_bitwise(backend, seed, exponent):
    u, k = vectors(backend, seed, exponent)
    moderate = np.ldexp(u, -k)
    unit, norm = (lambda x, f=f: backend.get(f(backend.put(x))) for f in (B.unit, B.norm))
    assert np.array_equal(unit(u), unit(moderate))
    assert np.array_equal(norm(u), np.ldexp(norm(moderate), k))


def test_norm_and_unit_of_zero_beside_others(backend):
    u = np.array([[0.0, 0.0], [3.0, -4.0]])
    assert np.array_equal(backend.get(B.norm(backend.put(u))), [[0.0], [5.0]])
    unit = backend.get(B.unit(backend.put(u)))
    assert np.array_equal(unit[0], [0.0, 0.0])
    assert np.abs(unit[1] - [0.6, -0.8]).max() <= 2 * backend.u
    assert np.array_equal(backend.get(B.unit(backend.put(-u))), -unit)


def test_the_smallest_and_the_largest_number_have_a_direction(backend):
    """Subnormal, where ``1 / max|u|`` would be infinite, and next to infinity."""
    limits = np.finfo(backend.dtype)
    for x in (limits.smallest_subnormal, limits.max):
        u = backend.host(np.array([0.0, x]))
        assert np.array_equal(backend.get(B.unit(backend.put(u))), [0.0, 1.0])
        assert np.array_equal(backend.get(B.norm(backend.put(u))), u[1:])


def test_members_of_any_size_beside_each_other(backend):
    reach = 100 if backend.dtype == "float32" else 900
    u = backend.host(np.random.default_rng(0).standard_normal((3, 7)))
    unit, norm = (lambda x, f=f: backend.get(f(backend.put(x))) for f in (B.unit, B.norm))
    for exponents in ([-reach, 0, reach], [0, 0, reach], [0, 0, -reach]):
        k = np.array(exponents)[:, None]
        assert np.array_equal(unit(np.ldexp(u, k)), unit(u))
        assert np.array_equal(norm(np.ldexp(u, k)), np.ldexp(norm(u), k))


def test_norm_of_many_small_numbers_in_float32():
    """Their squares are subnormal, although the norm is far from it."""
    u = np.full(2**16, np.float32(1.2))
    assert np.array_equal(B.norm(np.ldexp(u, -68)), np.ldexp(B.norm(u), -68))


def test_put_copies_and_get_brings_back(backend):
    x = backend.host(np.random.default_rng(0).standard_normal((2, 3)))
    moved = B.put(x, backend.xp, backend.home)
    expected = x.copy()
    x[...] = 0
    assert B.device(moved) == B.device(backend.put(expected))
    assert backend.home in (None, B.device(moved))
    assert isinstance(B.get(moved), np.ndarray)
    assert np.array_equal(B.get(moved), expected)
    assert B.get(moved).dtype == backend.dtype


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_put_changes_the_dtype_if_told(backend, dtype):
    moved = B.put(np.array([0.0, 1.0, 1.0]), backend.xp, backend.home, dtype)
    assert str(moved.dtype).endswith(dtype)
    assert np.array_equal(B.get(moved), [0, 1, 1])


def test_put_is_on_the_host_by_default():
    assert isinstance(B.put(np.ones(2)), np.ndarray)
    assert B.put(np.ones(2, "float32")).dtype == "float32"
    assert B.put(np.ones(2, "int32")).dtype == "int32"


def test_on_host(backend):
    assert B.on_host(backend.put(np.ones(2))) == (backend.library == "numpy")
    assert B.on_host(np.float64(1.0))
    assert not B.on_host(1.0)


def test_get_of_a_numpy_array_is_itself():
    x = np.ones(2)
    assert B.get(x) is x
    assert B.get(np.float64(2.0)) == 2.0


def test_normal_is_numpys_generator_scaled():
    x = B.normal(7, (2, 3), scale=0.5)
    assert np.array_equal(x, 0.5 * np.random.default_rng(7).standard_normal((2, 3)))
    assert np.array_equal(B.normal(7, (2, 3)), 2 * x)
    assert np.abs(B.normal(0, (10_000,)).std() - 1) < 0.04


def test_write_into_a_view(backend):
    rng = np.random.default_rng(0)
    A, C = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 4, 5))
    out = B.namespace(backend.put(A)).zeros(
        (2, 20), dtype=backend.put(A).dtype, device=B.device(backend.put(A))
    )
    view = B.namespace(out).reshape(out[:, 3:18], (2, 3, 5))
    B.write(view, B.namespace(out).matmul, backend.put(A), backend.put(C))
    expected = backend.host(A).astype("float64") @ backend.host(C)
    assert np.abs(backend.get(view) - expected).max() <= 64 * backend.u
    written = backend.get(out).reshape(2, 20)
    assert np.all(written[:, :3] == 0)
    assert np.all(written[:, 18:] == 0)
    assert np.array_equal(written[:, 3:18].reshape(2, 3, 5), backend.get(view))


def test_the_lean_namespace_is_numpys():
    xp, x = B.namespace(np.ones(1)), np.random.default_rng(0).standard_normal((2, 3, 4))
    for name in ("sum", "max"):
        lean, full = getattr(xp, name), getattr(np, name)
        assert lean(x) == full(x)
        for axis in (-1, (0, 2)):
            for options in ({}, {"keepdims": True}):
                expected = full(x, axis=axis, **options)
                assert np.array_equal(lean(x, axis=axis, **options), expected)
    assert np.array_equal(xp.reshape(x, (6, 4)), np.reshape(x, (6, 4)))
    assert xp.astype(x, xp.float32).dtype == "float32"
    assert xp.astype(x, x.dtype) is not x
    assert xp.astype(x, x.dtype, copy=False) is x


def test_namespace_refuses_a_mixture():
    import array_api_strict

    with pytest.raises(TypeError):
        B.namespace(np.ones(1), array_api_strict.ones(1))
    with pytest.raises(TypeError):
        B.namespace([1.0])


def test_numpy_arrays_are_at_home_together():
    checks.check_same_home(a=np.ones(1), b=np.ones(2), c=NUMPY.put(np.ones(3)))


def test_norm_of_ten_million_numbers_in_float32():
    u = np.random.default_rng(0).standard_normal(10**7, dtype="float32")
    exact = np.sqrt(np.sum(u.astype("float64") ** 2))
    assert abs(B.norm(u)[0] / exact - 1) <= 8 * 2.0**-24
    assert abs(np.linalg.norm(B.unit(u).astype("float64")) - 1) <= 8 * 2.0**-24
