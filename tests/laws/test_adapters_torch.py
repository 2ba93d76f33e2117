"""Adapters for PyTorch: optimizers as they are usually written, right and wrong, in every form."""

import re
import sys
import types
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra peers)")

from minisam.laws import (  # noqa: E402
    active_constraint,
    adapters,
    base_at_w,
    call_trace,
    judge,
    optimality,
    signed_permutations,
)
from minisam.laws.bugs import correct  # noqa: E402

pytestmark = pytest.mark.peers


class SAM(torch.optim.Optimizer):
    """SAM with ``first_step`` / ``second_step`` and ``step(closure)``; parameters without a
    gradient are left alone."""

    def __init__(self, params, base, rho, **base_options):
        super().__init__(params, {"rho": rho, **base_options})
        self.base = base(self.param_groups, **base_options)
        self.param_groups = self.base.param_groups

    def parameters(self):
        return [(p, group) for group in self.param_groups for p in group["params"]]

    def ball(self, p, group):
        """T of ASAM; 1 for SAM."""
        return torch.ones_like(p)

    def length(self, p, group):
        return torch.linalg.norm(self.ball(p, group) * p.grad)

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        live = [(p, group) for p, group in self.parameters() if p.grad is not None]
        m = max([(self.ball(p, group) * p.grad).abs().amax() for p, group in live], default=0)
        for p, _ in self.parameters():
            self.state[p]["saved"] = p.detach().clone()
        if m > 0:
            parts = [self.ball(p, group) * p.grad / m for p, group in live]
            length = torch.linalg.norm(torch.stack([torch.linalg.norm(part) for part in parts]))
            for (p, group), part in zip(live, parts, strict=True):
                p.add_(group["rho"] * self.ball(p, group) * (part / length))
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        for p, _ in self.parameters():
            p.copy_(self.state[p].pop("saved"))
        self.base.step()
        if zero_grad:
            self.zero_grad()

    @torch.no_grad()
    def step(self, closure):
        closure = torch.enable_grad()(closure)
        loss = closure()
        self.first_step(zero_grad=True)
        closure()
        self.second_step()
        return loss


class ASAM(SAM):
    def __init__(self, params, base, rho, eta=0.01, **base_options):
        super().__init__(params, base, rho, **base_options)
        self.eta = eta

    def ball(self, p, group):
        return p.abs() + self.eta


class PerTensorNorm(SAM):
    """Planted: every tensor is normalised on its own."""

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        for p, group in self.parameters():
            self.state[p]["saved"] = p.detach().clone()
            if p.grad is not None and p.grad.any():
                p.add_(group["rho"] * p.grad / torch.linalg.norm(p.grad))
        if zero_grad:
            self.zero_grad()


class KeptGradients(SAM):
    """Planted: the gradients of the first pass are still there in the second one."""

    def first_step(self, zero_grad=False):
        super().first_step(zero_grad=False)


class NoRestore(SAM):
    """Planted: the base step starts at w + eps."""

    @torch.no_grad()
    def second_step(self, zero_grad=False):
        self.base.step()
        if zero_grad:
            self.zero_grad()


class TInsteadOfTSquared(ASAM):
    """Planted: T g / ||T g|| where T^2 g / ||T g|| was meant."""

    @torch.no_grad()
    def first_step(self, zero_grad=False):
        for p, _ in self.parameters():
            self.state[p]["saved"] = p.detach().clone()
        u = [(p, group, self.ball(p, group) * p.grad) for p, group in self.parameters()]
        length = torch.linalg.norm(torch.cat([v.ravel() for *_, v in u]))
        for p, group, v in u:
            p.add_(group["rho"] * v / length if length > 0 else 0 * v)
        if zero_grad:
            self.zero_grad()


SGD = torch.optim.SGD
HEAVY = {"momentum": 0.9, "weight_decay": 0.1}
LOOPS = [adapters.two_calls, adapters.closure]


def sam(model, rho, lr):
    return SAM(model.parameters(), SGD, rho=rho, lr=lr)


def two_groups(model, rho, lr):
    groups = [{"params": [model["weight"]]}, {"params": [model["bias"]], "rho": rho}]
    return SAM(groups, SGD, rho=rho, lr=lr)


def asam(model, rho, lr, eta=0.01):
    return ASAM(model.parameters(), SGD, rho=rho, lr=lr, eta=eta)


def heavy(model, rho, lr):
    return SAM(model.parameters(), SGD, rho=rho, lr=lr, **HEAVY)


def heavy_base(model, lr):
    return SGD(model.parameters(), lr=lr, **HEAVY)


def walk(factory, steps=4, n=7, dtype="float64", dead=0):
    """The points a factory asks for and returns on noisy quadratics; ``dead`` last entries of the
    gradient are zero in every second step."""
    rng = np.random.default_rng(5)
    step, w, seen = factory(rho=0.3, lr=0.1), rng.standard_normal(n).astype(dtype), []
    curvature = rng.uniform(0.5, 2, n).astype(dtype)
    for t in range(steps):
        b = rng.standard_normal(n).astype(dtype)
        live = (np.arange(n) < n - dead) | (t % 2 == 0)

        def grad(x, b=b, live=live):
            seen.append(x)
            return live * (curvature * x - b)

        w = step(w, grad)
        seen.append(w)
    assert all(x.dtype == dtype for x in seen)
    return np.array(seen)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-14), ("float32", 1e-5)])
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "make, row",
    [
        (sam, correct.sam),
        (two_groups, correct.sam),
        (asam, correct.asam),
        (heavy, partial(correct.sam_heavy_ball, **HEAVY)),
    ],
)
def test_the_adapter_walks_like_the_numpy_row(make, row, loop, dtype, tolerance):
    got = walk(adapters.torch_optimizer(make, loop), dtype=dtype)
    np.testing.assert_allclose(got, walk(row, dtype=dtype), rtol=tolerance, atol=tolerance)


class SecondPassInClosure(SAM):
    """``step(closure)`` with the first gradients in place already."""

    @torch.no_grad()
    def step(self, closure):
        self.first_step(zero_grad=True)
        torch.enable_grad()(closure)()
        self.second_step()


class FirstGradientsKept(SecondPassInClosure):
    """Planted: the closure adds to the gradients of the first pass."""

    def first_step(self, zero_grad=False):
        super().first_step(zero_grad=False)


def test_the_closure_may_be_for_the_second_pass_alone():
    def factory(kind):
        make = lambda model, rho, lr: kind(model.parameters(), SGD, rho=rho, lr=lr)
        return adapters.torch_optimizer(make, adapters.backward_then_closure)

    got = walk(factory(SecondPassInClosure))
    np.testing.assert_allclose(got, walk(correct.sam), rtol=1e-14, atol=1e-14)
    assert call_trace(factory(SecondPassInClosure), "sam").ok
    assert not call_trace(factory(FirstGradientsKept), "sam").ok


@pytest.mark.parametrize("none_for_zero", [False, True])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_parameter_without_gradient_in_some_steps(loop, none_for_zero):
    grads = []

    def watched(model, rho, lr):
        optimizer = sam(model, rho, lr)
        first = optimizer.first_step

        def first_step(zero_grad=False):
            grads.append(model["bias"].grad)
            first(zero_grad)

        optimizer.first_step = first_step
        return optimizer

    factory = adapters.torch_optimizer(watched, loop, none_for_zero=none_for_zero)
    got = walk(factory, dead=3)  # of 7 numbers the bias has the last three
    np.testing.assert_allclose(got, walk(correct.sam, dead=3), rtol=1e-14, atol=1e-14)
    assert [g is None for g in grads] == [False, none_for_zero] * 2


def test_a_declared_base_is_taken_out():
    """What is left is the walk on gradient descent, to rounding; the second gradient counts."""
    got = walk(adapters.torch_optimizer(heavy, base=heavy_base), steps=1)
    np.testing.assert_allclose(got, walk(correct.sam, steps=1), rtol=1e-14)


def test_what_is_not_the_bases_stays_visible():
    """Base: a jump to 3 w. The step adds 0.5 to it: what is judged is w - lr h + 0.5."""

    def base(lr):
        return lambda w, grad: 3 * w + 0 * grad(w)

    def factory(rho, lr):
        return lambda w, grad: 3 * w + 0 * grad(w) + 0.5

    w = np.array([1.0, -2.0])
    out = adapters.relative_to(base, factory)(rho=0.1, lr=0.25)(w, lambda x: 4 * x)
    np.testing.assert_array_equal(out, w - w + 0.5)


def test_a_step_writes_neither_into_its_input_nor_into_earlier_results():
    step = adapters.torch_optimizer(sam)(rho=0.1, lr=0.1)
    w = np.arange(1.0, 5.0)
    w.flags.writeable = False
    first = step(w, lambda x: x)
    kept = first.copy()
    step(first, lambda x: x)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9])
def test_cut_and_glue_are_inverse(n):
    w = np.arange(float(n))
    names = adapters.layers(n)
    np.testing.assert_array_equal(adapters.glue(adapters.cut(w, names), names), w)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="shapes hold 6 numbers, the vector has 5"):
        adapters.cut(np.zeros(5), {"weight": (2, 3)})


def test_a_fixed_model_fixes_the_number_of_parameters():
    shapes = {"hidden_weight": (3, 2), "hidden_bias": (3,), "scale": ()}
    factory = adapters.torch_optimizer(sam, shapes=shapes)
    assert factory.n == 10
    np.testing.assert_allclose(walk(factory, n=10), walk(correct.sam, n=10), rtol=1e-14)


# The kit's verdicts.


def test_the_page_for_strangers_shows_what_works(monkeypatch):
    page = (Path(adapters.__file__).parent / "README.md").read_text()
    code = re.search(r"```python\n(# torch_sam.py.*?)```", page, re.S)
    assert code
    project = types.ModuleType("my_project")
    project.__dict__["SAM"] = SAM
    monkeypatch.setitem(sys.modules, "my_project", project)
    space = {}
    exec(code[1], space)
    assert call_trace(space["my_sam"], "sam", examples=5).kind == "holds"


def of(optimizer):
    """``make`` for a class of optimizers."""

    def make(model, rho, lr, **options):
        return optimizer(model.parameters(), SGD, rho=rho, lr=lr, **options)

    return make


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "make, claim, options",
    [
        (sam, "sam", {}),
        (asam, "asam", {}),
        (sam, "sam", {"none_for_zero": True}),
        (two_groups, "sam", {"shapes": {"weight": (2, 2), "bias": (2,)}}),
    ],
)
def test_the_kit_passes_correct_optimizers(make, claim, options, loop):
    report = judge(adapters.torch_optimizer(make, loop, **options), claim, examples=3)
    assert report.ok and not report.conventions, report


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "optimizer, claim, laws",
    [
        (PerTensorNorm, "sam", [optimality, active_constraint, signed_permutations]),
        (NoRestore, "sam", [call_trace]),
        (TInsteadOfTSquared, "asam", [optimality, active_constraint]),
    ],
)
def test_the_kit_finds_planted_bugs(optimizer, claim, laws, loop):
    for law in laws:
        verdict = law(adapters.torch_optimizer(of(optimizer), loop), claim, shrink=False)
        assert verdict.kind == "fails", verdict


def test_kept_gradients_are_found_where_the_loop_does_not_clear_them():
    hidden = adapters.torch_optimizer(of(KeptGradients), adapters.closure)
    seen = adapters.torch_optimizer(of(KeptGradients), adapters.two_calls)
    assert call_trace(hidden, "sam", examples=5).kind == "holds"
    verdict = call_trace(seen, "sam")
    assert verdict.kind == "fails" and "gradients of both passes added up" in verdict.message


def test_momentum_and_weight_decay_that_are_named_are_asked_for():
    def make(model, rho, lr, momentum=0.0, weight_decay=0.0):
        options = {"momentum": momentum, "weight_decay": weight_decay}
        return SAM(model.parameters(), SGD, rho=rho, lr=lr, **options)

    class Twice(SAM):
        """Planted: the base steps, with its momentum, in both passes."""

        def first_step(self, zero_grad=False):
            saved = [p.detach().clone() for p, _ in self.parameters()]
            self.base.step()
            for (p, _), old in zip(self.parameters(), saved, strict=True):
                p.data.copy_(old)
            super().first_step(zero_grad)

    def twice(model, rho, lr, momentum=0.0, weight_decay=0.0):
        options = {"momentum": momentum, "weight_decay": weight_decay}
        return Twice(model.parameters(), SGD, rho=rho, lr=lr, **options)

    right, wrong = adapters.torch_optimizer(make), adapters.torch_optimizer(twice)
    assert base_at_w(right, "sam", examples=10).kind == "holds"
    assert base_at_w(wrong, "sam", shrink=False).kind == "fails"
    assert call_trace(wrong, "sam", examples=5).kind == "holds"


def test_a_declared_base_is_what_the_update_is_compared_with():
    undeclared = adapters.torch_optimizer(heavy)
    assert call_trace(undeclared, "sam", shrink=False).kind == "fails"
    for loop in LOOPS:
        report = judge(adapters.torch_optimizer(heavy, loop, base=heavy_base), "sam", examples=3)
        assert report.ok, report

    def lazy(model, lr):  # declares less than it does
        return SGD(model.parameters(), lr=lr, momentum=0.9)

    assert not call_trace(adapters.torch_optimizer(heavy, base=lazy), "sam", shrink=False).ok
