"""minisam's own rows behind the kit's protocol."""

import numpy as np

import minisam as ms


def stepping(rule_of):
    """``rule_of(rho, **hyper)`` under plain gradient descent, state in the closure."""

    def factory(rho, lr, **hyper):
        opt, state = ms.SharpnessAware(rule_of(rho, **hyper), ms.SGD(lr=lr)), None

        def step(w, grad):
            nonlocal state
            state = opt.init(w) if state is None else state
            w, state, _ = opt.step(w, lambda x: (np.sum(x) * 0, grad(x)), state)
            return w

        return step

    return factory


def matrix(x):
    return ms.Dense(x) if x.ndim == 2 else ms.Diagonal(x)


def row(constructor, constraint):
    """An objective of minisam in a constraint of minisam."""
    return stepping(lambda rho, eta, **hyper: ms.PreSAM(rho, constructor(**hyper), constraint(eta)))


HOUSE = {
    "sam": stepping(ms.SAM),
    "asam": stepping(ms.ASAM),
    "fisher": stepping(ms.FisherSAM),
    "vasso": stepping(ms.VaSSO),
    "friendly": stepping(ms.FriendlySAM),
    "sparse": stepping(ms.SparseSAM),
    "info": stepping(ms.InfoSAM),
    "presam": stepping(lambda rho, D, C: ms.PreSAM(rho, matrix(D), matrix(C))),
    "vasso+asam": row(ms.Averaged, ms.Magnitude),
    "friendly+fisher": row(ms.Friendly, ms.Fisher),
    "sparse+asam": row(ms.Mask, ms.Magnitude),
    "info+asam": row(ms.NoiseWeights, ms.Magnitude),
    "info+fisher": row(ms.NoiseWeights, ms.Fisher),
}
