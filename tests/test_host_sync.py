"""A step never looks at a value: on a GPU each look would wait for the device.

The arrays here follow the standard but refuse every conversion to a Python number, to a truth
value, to an index and to NumPy.
"""

import numpy as np
import pytest

import minisam as ms
from tests.rows import Problem, every_row
from tests.test_presam import every_base

# fmt: off
ARITHMETIC = [
    "add", "sub", "mul", "truediv", "pow", "matmul", "lt", "le", "gt", "ge", "eq", "ne", "and",
    "or", "xor", "radd", "rsub", "rmul", "rtruediv", "rpow", "rmatmul", "rand", "ror",
]
LOOKS = [
    "__bool__", "__float__", "__int__", "__index__", "__complex__", "__array__", "__iter__",
    "__contains__", "__dlpack__", "__len__", "item", "tolist", "get",
]
# fmt: on


class Looked(AssertionError):
    """Somebody wanted to know a value."""


class Far:
    """An array whose values may be computed with, never looked at."""

    def __init__(self, values):
        self.values = np.asarray(values)

    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)
    dtype = property(lambda self: self.values.dtype)
    device = property(lambda self: "far")
    T = property(lambda self: Far(self.values.T))
    mT = property(lambda self: Far(self.values.mT))

    def __array_namespace__(self, api_version=None):
        return FAR

    def __getitem__(self, key):
        return Far(self.values[near(key)])

    def __setitem__(self, key, value):
        self.values[near(key)] = near(value)

    def __neg__(self):
        return Far(-self.values)

    def __abs__(self):
        return Far(abs(self.values))

    def __invert__(self):
        return Far(~self.values)


def near(x):
    """Unwrap arguments: what a device's own kernels may do."""
    if isinstance(x, Far):
        return x.values
    return type(x)(map(near, x)) if isinstance(x, (tuple, list)) else x


def refuse(name):
    def method(self, *args, **kwargs):
        raise Looked(f"{name}: this would wait for the device")

    return method


for look in LOOKS:
    setattr(Far, look, refuse(look))


def operator(name):
    def method(self, other):
        if isinstance(other, np.ndarray):
            raise TypeError("a host array met a device array")
        return Far(getattr(self.values, f"__{name}__")(near(other)))

    return method


for name in ARITHMETIC:
    setattr(Far, f"__{name}__", operator(name))


class FarNamespace:
    """NumPy's functions on ``Far`` arrays."""

    def __getattr__(self, name):
        found = getattr(np, name)
        if not callable(found) or isinstance(found, type):
            return found

        def function(*args, device=None, **kwargs):
            out = found(*near(args), **{k: near(v) for k, v in kwargs.items()})
            return Far(out) if isinstance(out, (np.ndarray, np.generic)) else out

        return function


FAR = FarNamespace()


def test_looking_is_noticed():
    x = Far(np.ones((2, 2)))
    for look in (bool, float, int, list, len, np.asarray, lambda x: 1.0 in x, lambda x: [1, 2][x]):
        with pytest.raises(Looked):
            look(x)
    with pytest.raises((TypeError, Looked)):
        np.ones((2, 2)) + x
    with pytest.raises(TypeError, match="host array"):
        x + np.ones((2, 2))
    assert np.array_equal(near(FAR.where(x > 0, x + 1, FAR.zeros_like(x))), 2 * np.ones((2, 2)))


def steps(opt, net, put):
    """Three steps on a small population, and everything they returned."""
    rng = np.random.default_rng(0)
    w = put(rng.standard_normal((2, net.n)))
    X = put(rng.standard_normal((2, 5, net.sizes[0])))
    y = put(rng.integers(net.sizes[-1], size=(2, 5)))
    if net.loss == "mse":
        y = put(rng.standard_normal((2, 5, net.sizes[-1])))
    state = opt.init(w)
    for lr in (None, 0.05, put(np.array([[0.1], [0.2]]))):
        w, state, seen = opt.step(w, lambda v: net.loss_and_grad(v, X, y), state, lr=lr, rho=lr)
    return w, *seen


def check_no_look(opt, net=ms.MLP((3, 4, 2), "tanh"), put_rule=None):  # noqa: B008
    for found, expected in zip(
        steps(put_rule(Far) if put_rule else opt, net, Far),
        steps(put_rule(np.asarray) if put_rule else opt, net, np.asarray),
        strict=True,
    ):
        assert isinstance(found, Far)
        np.testing.assert_allclose(found.values, expected, rtol=1e-12, atol=1e-12)


@every_row
def test_a_step_of_every_row(row):
    h = Problem(seed=4, n=ms.MLP((3, 4, 2)).n).h
    rule = lambda put: ms.SharpnessAware(row.make(0.1, h, put), ms.SGD(0.1, momentum=0.9))
    check_no_look(None, put_rule=rule)


def test_dense_preconditioners():
    M = np.random.default_rng(0).standard_normal((26, 26))
    rule = lambda put: ms.SharpnessAware(
        ms.PreSAM(0.1, ms.Dense(put(M)), ms.Dense(put(M))), ms.SGD(0.1)
    )
    check_no_look(None, put_rule=rule)


@pytest.mark.parametrize("rule", [None, ms.SAM(0.1), ms.InfoSAM(0.1)], ids=repr)
@every_base
def test_a_step_of_every_base(base, rule):
    check_no_look(ms.SharpnessAware(rule, base))


@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
@pytest.mark.parametrize("loss", ["softmax", "mse"])
def test_a_step_of_every_network(activation, loss):
    opt = ms.SharpnessAware(ms.ASAM(0.1), ms.SGD(0.1))
    check_no_look(opt, ms.MLP((3, 4, 4, 2), activation, loss))
