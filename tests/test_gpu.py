"""What only a GPU can show; the other tests run there too, as backends ``cupy`` and ``cupy32``."""

import numpy as np
import pytest

import minisam as ms
from minisam import backend as B
from tests.test_presam import every_base

pytestmark = pytest.mark.gpu
RULES = [
    None,
    ms.SAM(0.1),
    ms.ASAM(0.5),
    ms.FisherSAM(0.1),
    ms.VaSSO(0.1),
    ms.FriendlySAM(0.1),
    ms.InfoSAM(0.1),
]


def train(xp, rule, base, steps=10):
    net, rng = ms.MLP((20, 32, 5), "tanh"), np.random.default_rng(0)
    X = B.put(rng.standard_normal((64, 20)), xp, dtype="float32")
    y = B.put(rng.integers(5, size=64), xp)
    w = net.init(0, xp=xp, lead=(4,))
    opt = ms.SharpnessAware(rule, base)
    state = opt.init(w)
    for _ in range(steps):
        w, state, _ = opt.step(w, lambda v: net.loss_and_grad(v, X, y), state)
    return B.get(w)


@every_base
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_parity_with_numpy(rule, base):
    import cupy

    here, there = (train(xp, rule, base) for xp in (np, cupy))
    assert np.linalg.norm(there - here) <= 1e-3 * np.linalg.norm(here)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_step_does_not_wait_for_the_device(rule):
    """A slow kernel is queued first; the host must be done with its step long before it ends."""
    import time

    import cupy

    net = ms.MLP((20, 32, 5))
    w, X = net.init(0, xp=cupy), cupy.ones((64, 20), dtype="float32")
    y = cupy.zeros(64, dtype="int64")
    opt = ms.SharpnessAware(rule, ms.SGD(0.1, momentum=0.9))
    step = lambda: opt.step(w, lambda v: net.loss_and_grad(v, X, y), opt.init(w))
    step()
    slow = cupy.random.random((8192, 8192), dtype="float32")
    cupy.cuda.Device().synchronize()
    for _ in range(10):
        slow = slow @ slow / 4096
    start = time.perf_counter()
    step()
    queued = time.perf_counter() - start
    cupy.cuda.Device().synchronize()
    assert queued < 0.5 * (time.perf_counter() - start)


def test_the_result_stays_on_the_device():
    import cupy

    w = cupy.ones(3)
    eps, _ = ms.ASAM(0.1).perturb(w, w, None)
    assert isinstance(eps, cupy.ndarray)
    assert B.device(eps) == B.device(w)
