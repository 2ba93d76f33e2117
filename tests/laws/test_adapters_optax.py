"""Adapters for optax: optax.contrib.sam in both of its modes."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed (extra peers)")
optax = pytest.importorskip("optax", reason="optax is not installed (extra peers)")

from minisam.laws import adapters  # noqa: E402
from minisam.laws.bugs import correct  # noqa: E402

pytestmark = pytest.mark.peers


def optax_sam(opaque):
    def make(rho, lr):
        ascent = optax.chain(optax.contrib.normalize(), optax.sgd(rho))
        return optax.contrib.sam(optax.sgd(lr), ascent, opaque_mode=opaque)

    return make


FORMS = {
    "opaque": (optax_sam(True), adapters.with_grad_fn),
    "transparent": (optax_sam(False), adapters.two_updates),
}


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-14), ("float32", 1e-5)])
@pytest.mark.parametrize("form", FORMS)
def test_optax_sam_walks_like_the_numpy_row(form, dtype, tolerance):
    factories = adapters.optax_transformation(*FORMS[form]), correct.sam
    rng = np.random.default_rng(3)
    walks = []
    start = rng.standard_normal(7).astype(dtype)
    b = rng.standard_normal((4, 7)).astype(dtype)
    for factory in factories:
        step, w = factory(rho=0.3, lr=0.1), start
        seen = walks.append([]) or walks[-1]
        for t in range(4):
            w = step(w, lambda x, t=t, seen=seen: seen.append(x) or x - b[t])
            seen.append(w)
    assert all(x.dtype == dtype for x in walks[0])
    np.testing.assert_allclose(*walks, rtol=tolerance, atol=tolerance)


def heavy_ball(momentum, weight_decay, lr=0.1):
    """The base alone: ``update(w, gradient) -> next w``."""
    m = 0.0

    def update(w, h):
        nonlocal m
        m = momentum * m + h + weight_decay * w
        return w - lr * m

    return update


def test_the_base_is_declared_with_the_factory():
    make, loop = FORMS["opaque"]
    base = lambda lr: optax.sgd(lr, momentum=0.9)
    update = adapters.optax_transformation(make, loop, base=base).base(lr=0.1)
    reference = heavy_ball(0.9, 0.0)
    w = v = np.array([1.0, -2.0, 3.0, 0.5])
    for h in np.random.default_rng(0).standard_normal((5, 4)):
        w, v = update(w, h), reference(v, h)
        np.testing.assert_allclose(w, v, rtol=1e-14)
