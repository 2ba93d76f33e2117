"""The training loop: populations, schedule, checkpoints, divergence."""

import math

import numpy as np
import pytest

import minisam as ms
from minisam import lab
from minisam.backend import put
from minisam.lab.train import BASE, minibatches

NET = ms.MLP((64, 16, 10))
RULES = [None, ms.SAM(0.1), ms.ASAM(1.0), ms.FisherSAM(0.1), ms.VaSSO(0.1),
         ms.FriendlySAM(0.1), ms.InfoSAM(0.1)]  # fmt: skip
NUMBERS = ("loss", "train", "validation", "test", "cosine", "finite_steps")


@pytest.fixture(scope="module")
def data():
    return lab.load("digits", label_noise=0.5)


def last(*args, **kwargs):
    return list(lab.train(*args, **kwargs))[-1]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_population_goes_as_its_members_would(data, rule):
    seeds, radii = [3, 3, 8], [0.1, 0.4, 0.4]
    together = last(NET, data, rule, epochs=2, seed=seeds, rho=radii if rule else None)
    for i, (seed, rho) in enumerate(zip(seeds, radii, strict=True)):
        alone = last(NET, data, rule and ms.PreSAM(rho, rule.objective, rule.constraint),
                     epochs=2, seed=seed)  # fmt: skip
        np.testing.assert_array_equal(together.checkpoint.w[i], alone.checkpoint.w)  # every bit
        for name in NUMBERS:
            assert getattr(together, name)[i] == getattr(alone, name)


def test_against_a_loop_written_out(data):
    X, y = data.train
    w, m, N, T = NET.init(5), 0.0, 1198 // 64, 2 * (1198 // 64)
    records = list(lab.train(NET, data, ms.SAM(0.1), epochs=2, seed=5))
    for t in range(T):
        order = np.random.default_rng((5, t // N)).permutation(1198)
        batch = order[64 * (t % N) : 64 * (t % N + 1)]
        _, g = NET.loss_and_grad(w, X[batch], y[batch])
        at, eps = w, 0.1 * g / np.linalg.norm(g)
        _, h = NET.loss_and_grad(w + eps, X[batch], y[batch])
        m = 0.9 * m + h + 5e-4 * w
        w = w - 0.1 * (1 + math.cos(math.pi * t / T)) / 2 * m
        if (t + 1) % N:
            continue
        record = records[t // N]
        assert (record.epoch, record.step) == (t // N + 1, t + 1)
        np.testing.assert_allclose(record.checkpoint.w, w, rtol=1e-3, atol=1e-4)
        loss, g = NET.loss_and_grad(at, X, y)
        cosine = eps @ g / np.linalg.norm(eps) / np.linalg.norm(g)
        np.testing.assert_allclose(record.cosine, cosine, atol=1e-3)
        np.testing.assert_allclose(record.loss, loss, rtol=1e-3)
        for name in ("train", "validation", "test"):
            split = getattr(data, name)
            right = (NET(w, split.X).argmax(axis=-1) == split.y).mean()
            assert abs(getattr(record, name) - right) < 0.01


def test_minibatches_visit_all_once():
    rows = minibatches(0, 3, 1000, 64)
    assert rows.shape == (15, 64) and len(np.unique(rows)) == 960
    assert not np.array_equal(rows, minibatches(0, 4, 1000, 64))
    assert not np.array_equal(rows, minibatches(1, 3, 1000, 64))


@pytest.mark.parametrize("every, epochs", [(1, [1, 2, 3]), (2, [2, 3]), (9, [3])])
def test_records_come_when_asked(data, every, epochs):
    records = list(lab.train(NET, data, epochs=3, every=every))
    assert [record.epoch for record in records] == epochs


def test_cosine_schedule():
    assert [round(lab.cosine_schedule(0.4, t, 4), 6) for t in range(4)] == [
        0.4, 0.341421, 0.2, 0.058579,
    ]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("base", [BASE, ms.AdamW(0.01)], ids=str)
def test_resumed_run_equals_an_uninterrupted_one(data, rule, base, tmp_path):
    whole = list(lab.train(NET, data, rule, base, epochs=3, seed=[1, 2]))
    lab.save_checkpoint(tmp_path / "run.npz", whole[0].checkpoint)
    start = lab.load_checkpoint(tmp_path / "run.npz", rule, base)
    resumed = list(lab.train(NET, data, rule, base, epochs=3, seed=[1, 2], start=start))
    assert [record.epoch for record in resumed] == [2, 3]
    np.testing.assert_array_equal(whole[-1].checkpoint.w, resumed[-1].checkpoint.w)
    for name in NUMBERS:
        np.testing.assert_array_equal(getattr(whole[-1], name), getattr(resumed[-1], name))


def test_checkpoint_of_another_method(data, tmp_path):
    record = last(NET, data, ms.SAM(0.1), epochs=1)
    lab.save_checkpoint(tmp_path / "run.npz", record.checkpoint)
    base = ms.SGD(0.1, momentum=0.9)
    with pytest.raises(ValueError, match="holds 3 arrays, but a run with this rule and base has 5"):
        lab.load_checkpoint(tmp_path / "run.npz", ms.InfoSAM(0.1), base)
    with pytest.raises(FileNotFoundError):
        lab.load_checkpoint(tmp_path / "none.npz", None, base)


def test_divergence_names_the_step_and_spares_the_others(data):
    base = ms.SGD(lr=0.1)
    records = list(lab.train(NET, data, ms.SAM(0.1), base, epochs=3, seed=[0, 0], rho=[0.1, 1e38]))
    assert len(records) == 3
    assert [record.diverged.tolist() for record in records] == [[False, True]] * 3
    assert records[-1].finite_steps.tolist() == [records[-1].step, 0]
    alone = list(lab.train(NET, data, ms.SAM(0.1), base, epochs=3))
    np.testing.assert_array_equal(records[-1].checkpoint.w[0], alone[-1].checkpoint.w)
    gone = list(lab.train(NET, data, None, ms.SGD(lr=1e4), epochs=3))
    assert len(gone) == 1 and gone[0].diverged and 0 < gone[0].finite_steps < gone[0].step


class Hiccup(ms.MLP):
    """Its loss is inf in the third step, its gradient is not."""

    def loss_and_grad(self, w, X, y):
        loss, g = super().loss_and_grad(w, X, y)
        CALLS.append(loss)
        return (loss if len(CALLS) != 3 else np.float32(np.inf)), g


CALLS: list = []


def test_a_run_that_recovers_has_diverged(data):
    (record,) = lab.train(Hiccup((64, 16, 10)), data, epochs=2)
    assert record.finite_steps == 2 and record.diverged


@pytest.mark.parametrize("backend, device", [
    ("torch", None),
    ("array_api_strict", None),
    ("array_api_strict", "device1"),
    ("array_api_strict", "no_float64"),
    pytest.param("cupy", None, marks=pytest.mark.gpu),
])  # fmt: skip
def test_other_backends(data, backend, device):
    xp = pytest.importorskip(backend)
    device = device and xp.Device(device)
    args = {"epochs": 1, "seed": [0, 1], "rho": [0.1, 0.2]}
    here = last(NET, data, ms.InfoSAM(0.1), **args)
    there = last(NET, data.to(xp, device), ms.InfoSAM(0.1), **args)
    assert type(there.checkpoint.w) is type(put(np.zeros(1, "float32"), xp, device))
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(here, name), getattr(there, name), atol=0.02)


def test_along_is_the_loss_on_a_line(data):
    w = NET.init(0, lead=(2,))
    eps = put(np.random.default_rng(0).standard_normal(w.shape), dtype="float32")
    found = lab.along(NET, data.train, w, eps, [-1, 0, 0.5])
    for i in range(2):
        for t, loss in zip([-1, 0, 0.5], found[i], strict=True):
            moved = w[i] + np.float32(t) * eps[i] / np.linalg.norm(eps[i])
            np.testing.assert_allclose(loss, NET.loss_and_grad(moved, *data.train)[0], rtol=1e-5)


def test_errors(data):
    with pytest.raises(ValueError, match=r"batch must be in \[1, 1198\], got 2000"):
        last(NET, data, batch=2000)
    with pytest.raises(ValueError, match="epochs must be finite and >= 1, got 0"):
        last(NET, data, epochs=0)
    with pytest.raises(ValueError, match=r"batch must be a whole number, got 32\.5"):
        last(NET, data, batch=32.5)
    for rule, rho, seed in [(None, [0.1], [0]), (ms.SAM(0.1), [0.1, 0.2], [0, 1, 2]),
                            (ms.SAM(0.1), [0.1, 0.2], 0), (ms.SAM(0.1), 0.1, [0])]:  # fmt: skip
        with pytest.raises(ValueError, match="rho must be one radius for each seed of a rule"):
            last(NET, data, rule, rho=rho, seed=seed)
    with pytest.raises(ValueError, match=r"rho must be finite and >= 0, got -0\.1"):
        last(NET, data, ms.SAM(0.1), rho=[-0.1], seed=[0])
