"""Adapters for optax: optax.contrib.sam in both of its modes."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed (extra peers)")
optax = pytest.importorskip("optax", reason="optax is not installed (extra peers)")

from minisam.laws import adapters, call_trace, degenerate, optimality  # noqa: E402
from minisam.laws.bugs import correct  # noqa: E402

pytestmark = pytest.mark.peers


def normalize():
    """``optax.contrib.normalize`` for which 0 / ||0|| is 0."""

    def update(g, state, params=None):
        norm = optax.tree.norm(g)
        return jax.tree.map(lambda x: x / (norm + (norm == 0)), g), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def optax_sam(opaque, normalize=normalize):
    def make(rho, lr):
        ascent = optax.chain(normalize(), optax.sgd(rho))
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


# What the laws say about optax.contrib.sam.


@pytest.mark.parametrize("form", FORMS)
def test_a_zero_gradient_makes_optax_sam_nan(form):
    """Its documentation suggests optax.contrib.normalize for the ascent: 0 / 0 at zero."""
    make = optax_sam(form == "opaque", optax.contrib.normalize)
    verdict = degenerate(adapters.optax_transformation(make, FORMS[form][1]), "sam", examples=10)
    assert verdict.kind == "fails" and "nan" in verdict.message


@pytest.mark.parametrize("form", FORMS)
def test_otherwise_its_perturbation_is_sams(form):
    factory = adapters.optax_transformation(*FORMS[form])
    assert optimality(factory, "sam", examples=10).kind == "holds"
    assert degenerate(factory, "sam", examples=10).kind == "holds"


def test_opaque_mode_restores_by_copy_and_transparent_mode_by_arithmetic():
    opaque, transparent = (adapters.optax_transformation(*form) for form in FORMS.values())
    assert call_trace(opaque, "sam", examples=10).kind == "holds"
    verdict = call_trace(transparent, "sam", examples=50)
    assert verdict.kind == "fails" and "Restoring the weights by subtracting" in verdict.message


def test_a_declared_base_is_taken_out():
    def make(rho, lr):
        ascent = optax.chain(normalize(), optax.sgd(rho))
        return optax.contrib.sam(optax.adam(lr), ascent, opaque_mode=True)

    plain = adapters.optax_transformation(make)
    declared = adapters.optax_transformation(make, base=lambda lr: optax.adam(lr))
    assert call_trace(plain, "sam", shrink=False).kind == "fails"
    assert call_trace(declared, "sam", examples=10).kind == "holds"
