"""FedSAM on digits: the split, and a short training."""

import numpy as np

import minisam as ms
from minisam.theory.federated_digits import digits, measure_digits, shards


def test_shards_partition_and_skew():
    y = digits()[1]
    for each, most in ((1, 3), (2, 5), (10, 10)):
        mine = shards(y, clients=10, each=each, seed=0)
        assert len(np.unique(mine)) == mine.size > 0.98 * len(y) - 40
        classes = [len(np.unique(y[k])) for k in mine]
        assert max(classes) <= most
    assert np.mean([len(np.unique(y[k])) for k in shards(y, 10, 10, 0)]) > 6


def test_digits_are_standardised_on_the_training_part():
    X, _, X_test, y_test = digits()
    assert X.shape == (1437, 64) and X_test.shape == (360, 64)
    np.testing.assert_allclose(X.mean(0), 0, atol=1e-4)
    assert set(np.unique(X.std(0).round(3))) <= {0.0, 1.0}
    assert np.bincount(y_test).min() >= 34


def test_training_learns_and_radius_matters():
    found = measure_digits(rho=(0.0, 0.1), rounds=8, seeds=2)
    assert found.shape == (2, 2, 9)
    assert np.all(found[..., 0] < 0.3) and np.all(found[..., -1] > 0.5)
    assert np.any(found[0] != found[1])


def test_one_client_is_sam():
    """The whole data on one client, one local step a round: SAM's own run, to rounding."""
    found = measure_digits(rho=(0.1,), each=1, clients=1, rounds=5, steps=1, seeds=1)
    X, y, X_test, y_test = digits()
    net, rng = ms.MLP((64, 32, 10)), np.random.default_rng(0)
    order = np.argsort(y, kind="stable")
    opt, w = ms.SharpnessAware(ms.SAM(0.1), ms.SGD(0.05)), net.init(0)
    state = opt.init(w)
    for _ in range(5):
        pick = order[rng.integers(len(order), size=32)]
        w, state, _ = opt.step(w, lambda v, i=pick: net.loss_and_grad(v, X[i], y[i]), state)
    assert abs(found[0, 0, -1] - np.mean(net(w, X_test).argmax(-1) == y_test)) < 0.006
