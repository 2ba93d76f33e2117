"""A wrong call raises at once, and says which argument, what came and what is wanted."""

import re

import array_api_strict
import numpy as np
import pytest

import minisam as ms
from minisam import checks
from tests.backends import Backend

NET = ms.MLP((3, 4, 2))
W, X, Y = np.zeros(NET.n), np.zeros((5, 3)), np.zeros(5, int)
REGRESSION = ms.MLP((3, 4, 2), loss="mse")
STRICT, ELSEWHERE = (Backend("", "array_api_strict", device) for device in (None, "device1"))


def complains(message, error=ValueError):
    return pytest.raises(error, match=f"^{re.escape(message)}$")


nan, inf = float("nan"), float("inf")
NOT_NEGATIVE = [-0.1, nan, inf, -inf]
NOT_IN_UNIT_INTERVAL = [-0.1, 1.1, nan, inf]


@pytest.mark.parametrize("value", [*NOT_NEGATIVE, np.float64(-0.1)])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("rho", ms.SAM),
        ("rho", ms.PreSAM),
        ("eta", lambda v: ms.ASAM(0.1, v)),
        ("eta", lambda v: ms.FisherSAM(0.1, v)),
        ("sigma", lambda v: ms.FriendlySAM(0.1, v)),
        ("delta", lambda v: ms.InfoSAM(0.1, delta=v)),
        ("power", lambda v: ms.InfoSAM(0.1, power=v)),
        ("lr", ms.SGD),
        ("momentum", lambda v: ms.SGD(0.1, v)),
        ("weight_decay", lambda v: ms.SGD(0.1, weight_decay=v)),
        ("lr", ms.Adam),
        ("epsilon", lambda v: ms.Adam(epsilon=v)),
        ("weight_decay", lambda v: ms.Adam(weight_decay=v)),
        ("lr", ms.AdamW),
        ("epsilon", lambda v: ms.AdamW(epsilon=v)),
        ("weight_decay", lambda v: ms.AdamW(weight_decay=v)),
    ],
)
def test_numbers_that_must_not_be_negative(name, make, value):
    with complains(f"{name} must be finite and >= 0, got {value}"):
        make(value)
    make(0)


@pytest.mark.parametrize("value", [*NOT_IN_UNIT_INTERVAL, np.float64(1.1)])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("theta", lambda v: ms.VaSSO(0.1, v)),
        ("theta", lambda v: ms.InfoSAM(0.1, v)),
        ("lmbda", lambda v: ms.FriendlySAM(0.1, lmbda=v)),
    ],
)
def test_weights_of_an_average(name, make, value):
    with complains(f"{name} must be in [0, 1], got {value}"):
        make(value)
    assert make(0) != make(1)


@pytest.mark.parametrize("adam", [ms.Adam, ms.AdamW])
def test_betas(adam):
    for value in NOT_IN_UNIT_INTERVAL:
        with complains(f"betas[0] must be in [0, 1], got {value}"):
            adam(betas=(value, 0.9))
        with complains(f"betas[1] must be in [0, 1], got {value}"):
            adam(betas=(0.9, value))
    with complains("betas[1] must be < 1: the averages would stay 0"):
        adam(betas=(0.9, 1))
    with complains("betas[0] must be < 1: the averages would stay 0"):
        adam(betas=(1, 0.9))
    assert adam(betas=[0, 0]).betas == (0, 0)


def test_nesterov_needs_momentum():
    with complains("nesterov needs momentum > 0, got 0"):
        ms.SGD(0.1, nesterov=True)


@pytest.mark.parametrize("value", [*NOT_NEGATIVE, np.float64(-0.1)])
def test_numbers_for_one_step(value):
    with complains(f"rho must be finite and >= 0, got {value}"):
        ms.SAM(0.1).perturb(W, W, None, rho=value)
    for base in (ms.SGD(0.1), ms.Adam(), ms.AdamW()):
        with complains(f"lr must be finite and >= 0, got {value}"):
            base.update(W, W, base.init(W), lr=value)


@pytest.mark.parametrize("value", [np.float64(0.5), np.float32(0.5), np.int64(1)])
def test_numpy_numbers_become_pythons_and_keep_float32(value):
    single = np.ones(3, "float32")
    for rule in (
        ms.SAM(value),
        ms.ASAM(0.1, value),
        ms.FisherSAM(0.1, value),
        ms.VaSSO(0.1, value),
        ms.FriendlySAM(0.1, value, value),
        ms.InfoSAM(0.1, value, value, value),
    ):
        _, state = rule.perturb(single, single, rule.init(single))
        eps, _ = rule.perturb(single, 2 * single, state, rho=value)
        assert eps.dtype == "float32"
        assert "np." not in repr(rule)
        opt = ms.SharpnessAware(rule, ms.SGD(value, value, value))
        w, _, _ = opt.step(single, lambda w: (w[0], w), opt.init(single), lr=value)
        assert w.dtype == "float32"
    beta = value / 2
    for base in (ms.Adam(value, (beta, beta), value, value), ms.AdamW(value, (beta, beta), value)):
        w, _ = base.update(single, single, base.init(single), lr=value)
        assert w.dtype == "float32"
        assert "np." not in repr(base)


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0), (3, -1, 2)])
def test_sizes(sizes):
    with complains(f"sizes must be two or more positive integers, got {sizes}"):
        ms.MLP(sizes)


def test_unknown_names_with_the_nearest_match():
    with complains(
        "unknown activation 'rellu' (did you mean 'relu'?); choose from relu, tanh, identity"
    ):
        ms.MLP((3, 2), activation="rellu")
    with complains("unknown loss 'hinge'; choose from softmax, mse"):
        ms.MLP((3, 2), loss="hinge")


NET_CALLS = [
    pytest.param(lambda w, X: NET(w, X), id="outputs"),
    pytest.param(lambda w, X: NET.loss_and_grad(w, X, Y), id="gradient"),
]


@pytest.mark.parametrize("call", NET_CALLS)
@pytest.mark.parametrize(
    ("w", "X", "message"),
    [
        (W[:-1], X, "w must have shape (..., 26), got (25,)"),
        (W[:, None], X, "w must have shape (..., 26), got (26, 1)"),
        (np.array(0.0), X, "w must have shape (..., 26), got ()"),
        (W, X[:, :2], "X must have shape (..., batch >= 1, 3), got (5, 2)"),
        (W, X[0], "X must have shape (..., batch >= 1, 3), got (3,)"),
        (W, X[:0], "X must have shape (..., batch >= 1, 3), got (0, 3)"),
        (W.astype(int), X, "w must be of a real floating dtype, got int64"),
        (W.astype(complex), X, "w must be of a real floating dtype, got complex128"),
        (W, X.astype("float32"), "X must have the dtype of w, float64, got float32"),
        (W, X.astype(int), "X must have the dtype of w, float64, got int64"),
        (
            W,
            STRICT.put(X),
            "X is a array_api_strict Array but w is a numpy ndarray: "
            "move one of them (minisam.backend.put)",
        ),
        (
            STRICT.put(W),
            ELSEWHERE.put(X),
            "X is on array_api_strict.Device('device1') "
            "but w is on array_api_strict.Device('CPU_DEVICE')",
        ),
    ],
)
def test_network_inputs(call, w, X, message):
    with complains(message):
        call(w, X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:4], "y must have shape (..., 5), got (4,)"),
        (Y[:, None], "y must have shape (..., 5), got (5, 1)"),
        (Y + 2, "y must hold labels 0 ... 1, got 2 ... 2"),
        (np.arange(5) - 1, "y must hold labels 0 ... 1, got -1 ... 3"),
        (np.array([0, 1, -1, 0, 0]), "y must hold labels 0 ... 1, got -1 ... 1"),
        (Y.astype(float), "y must hold integer labels, got dtype float64"),
        (
            STRICT.put(Y),
            "y is a array_api_strict Array but w is a numpy ndarray: "
            "move one of them (minisam.backend.put)",
        ),
    ],
)
def test_labels(y, message):
    with complains(message):
        NET.loss_and_grad(W, X, y)
    NET.loss_and_grad(W, X, np.array([0, 1, 0, 1, 1]))


@pytest.mark.parametrize("y", [np.zeros((5, 1)), np.zeros((4, 2)), np.zeros(5), Y])
def test_targets(y):
    with complains(f"y must have shape (..., 5, 2), got {y.shape}"):
        REGRESSION.loss_and_grad(W, X, y)


RULES = [ms.SAM(0.1), ms.ASAM(0.1), ms.InfoSAM(0.1)]


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize(
    ("w", "g", "message"),
    [
        (W, W[:-1], "g must have the shape of w, (26,), got (25,)"),
        (W, W[:1], "g must have the shape of w, (26,), got (1,)"),
        (W, W[None], "g must have the shape of w, (26,), got (1, 26)"),
        (W.astype(int), W, "w must be of a real floating dtype, got int64"),
        (
            W,
            STRICT.put(W),
            "g is a array_api_strict Array but w is a numpy ndarray: "
            "move one of them (minisam.backend.put)",
        ),
        (
            ELSEWHERE.put(W),
            STRICT.put(W),
            "g is on array_api_strict.Device('CPU_DEVICE') "
            "but w is on array_api_strict.Device('device1')",
        ),
    ],
)
def test_gradients(rule, w, g, message):
    with complains(message):
        rule.perturb(w, g, rule.init(w))
    for opt in (ms.SharpnessAware(rule, ms.SGD(0.1)), ms.SharpnessAware(None, ms.SGD(0.1))):
        with complains(message):
            opt.step(w, lambda v: (v, g), opt.init(w))


@pytest.mark.parametrize("column", ["objective", "constraint"])
@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (ms.Mask(np.ones(3, bool)), "mask must have shape (..., 26), got (3,)"),
        (ms.Mask(np.ones((26, 3), bool)), "mask must have shape (..., 26), got (26, 3)"),
        (ms.Diagonal(np.ones(25)), "d must have shape (..., 26), got (25,)"),
        (ms.Dense(np.ones((3, 3))), "M must have shape (..., 26), got (3, 3)"),
        (
            ms.Diagonal(STRICT.put(W)),
            "d is a array_api_strict Array but w is a numpy ndarray: "
            "move one of them (minisam.backend.put)",
        ),
    ],
)
def test_fixed_preconditioners(column, operator, message):
    with complains(message):
        ms.PreSAM(0.1, **{column: operator}).perturb(W, W, None)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (4, 3), (2, 3, 4)])
def test_dense_matrices_are_square(shape):
    with complains(f"M must have shape (..., n, n), got {shape}"):
        ms.Dense(np.ones(shape))


def test_namespaces_that_do_not_exist():
    with pytest.raises(AttributeError, match=r"^module 'minisam' has no attribute 'labb'$"):
        ms.labb  # noqa: B018
    assert {"theory", "laws", "lab"} < set(ms.__all__)
    assert all(getattr(ms, name) for name in ms.__all__)


def test_choices():
    checks.check_choice("data", "digits", ["digits", "mnist"])
    with complains("unknown data 'mnits' (did you mean 'mnist'?); choose from digits, mnist"):
        checks.check_choice("data", "mnits", ["digits", "mnist"])
    with complains("unknown data 3; choose from digits, mnist"):
        checks.check_choice("data", 3, ["digits", "mnist"])


def test_bounds():
    for value in (1, 2, 1.5):
        checks.check_between("jobs", value, 1, 2)
    with complains("jobs must be in [1, 2], got 2.5"):
        checks.check_between("jobs", 2.5, 1, 2)
    with complains("jobs must be finite and >= 1, got 0"):
        checks.check_between("jobs", 0, 1)


def test_homes_are_compared_with_the_first():
    with complains(
        "b is a array_api_strict Array but w is a numpy ndarray: "
        "move one of them (minisam.backend.put)"
    ):
        checks.check_same_home(w=W, a=W, b=array_api_strict.ones(1))
    with complains(
        "a is a numpy ndarray but w is a array_api_strict Array: "
        "move one of them (minisam.backend.put)"
    ):
        checks.check_same_home(w=array_api_strict.ones(1), a=W)


@pytest.mark.parametrize("value", ["0.1", None, [0.1], np.array([0.1, 0.2])], ids=repr)
def test_numbers_are_numbers(value):
    for name, make in {"rho": ms.SAM, "theta": lambda v: ms.VaSSO(0.1, v), "lr": ms.SGD}.items():
        with complains(f"{name} must be a number, got {value!r}"):
            make(value)


def test_columns_swapped():
    with complains("objective must have init and weigh, got Magnitude(eta=0.1)"):
        ms.PreSAM(0.1, ms.Magnitude(0.1))
    with complains("constraint must have at, got Averaged(theta=0.1)"):
        ms.PreSAM(0.1, constraint=ms.Averaged(0.1))
    sgd = ms.SGD(0.1)
    with complains(f"rule must have init and perturb, got {sgd}"):
        ms.SharpnessAware(sgd, ms.SAM(0.1))
    with complains(f"base must have init and update, got {ms.SAM(0.1)}"):
        ms.SharpnessAware(None, ms.SAM(0.1))


@pytest.mark.parametrize("other", ["float64", "int64"])
def test_a_mixture_of_dtypes_would_leak_float64(other):
    w = W.astype("float32")
    with complains(f"g must have the dtype of w, float32, got {other}"):
        ms.SAM(0.1).perturb(w, W.astype(other), None)
    with complains(f"d must have the dtype of w, float32, got {other}"):
        ms.PreSAM(0.1, ms.Diagonal(W.astype(other))).perturb(w, w, None)
    with complains(f"M must have the dtype of w, float32, got {other}"):
        ms.PreSAM(0.1, ms.Dense(np.eye(26, dtype=other))).perturb(w, w, None)
    with complains(f"y must have the dtype of w, float32, got {other}"):
        REGRESSION.loss_and_grad(w, X.astype("float32"), np.zeros((5, 2), other))


@pytest.mark.parametrize("w", [np.array(1.0), np.zeros(0), np.zeros((3, 0))], ids=repr)
def test_no_weights(w):
    with complains(f"w must have shape (..., n), n >= 1, got {w.shape}"):
        ms.SAM(0.1).perturb(w, w, None)


def test_lists_are_no_arrays():
    with complains("w and g must be arrays, got builtins lists"):
        ms.SAM(0.1).perturb([1.0], [1.0], None)
    for rule, name in (
        (ms.SparseSAM(0.1, [True] * 26), "mask"),
        (ms.PreSAM(0.1, ms.Diagonal([1.0] * 26)), "d"),
    ):
        with complains(
            f"{name} is a builtins list but w is a numpy ndarray: "
            "move one of them (minisam.backend.put)"
        ):
            rule.perturb(W, W, None)


def test_whole_numbers():
    with complains("sizes must be two or more positive integers, got (3.5, 2)"):
        ms.MLP((3.5, 2))  # type: ignore[arg-type]
    checks.check_count("jobs", np.int64(3), 3)
    with complains("jobs must be a whole number, got 1.5"):
        checks.check_count("jobs", 1.5)  # type: ignore[arg-type]
    with complains("jobs must be in [1, 3], got 4"):
        checks.check_count("jobs", 4, 3)


def test_dtypes_of_a_network():
    with complains(
        "unknown dtype 'flot32' (did you mean 'float32'?); choose from float32, float64"
    ):
        NET.init(0, dtype="flot32")
    with complains("unknown dtype 'int32'; choose from float32, float64"):
        NET.init(0, dtype="int32")


def test_two_betas():
    with complains("betas must be two numbers, got (0.9,)"):
        ms.Adam(betas=(0.9,))  # type: ignore[arg-type]


def test_nearest_match_in_any_case():
    with complains("unknown method 'SAM' (did you mean 'sam'?); choose from sam, asam"):
        checks.check_choice("method", "SAM", ["sam", "asam"])


def test_populations_of_different_size():
    with complains("leading axes must broadcast, got those of w (3,), X (2,)"):
        NET(np.zeros((3, 26)), np.zeros((2, 5, 3)))
    assert NET(np.zeros((3, 1, 26)), np.zeros((2, 5, 3))).shape == (3, 2, 5, 2)
