"""minisam's own rows behind the kit's protocol, on any of its backends."""

import minisam as ms
from tests.backends import NUMPY


def stepping(rule_of, backend=NUMPY):
    """``rule_of(rho, **hyper)`` under plain gradient descent, state in the closure.

    The kit's vectors move to the backend in their own dtype, and back.
    """
    xp, home = backend.xp, backend.home  # imported here: the kit times what happens in a step
    put = lambda x: ms.backend.put(x, xp, home)

    def factory(rho, lr, **hyper):
        hyper = {k: put(x) if hasattr(x, "shape") else x for k, x in hyper.items()}
        opt, state = ms.SharpnessAware(rule_of(rho, **hyper), ms.SGD(lr=lr)), None

        def step(w, grad):
            nonlocal state
            at = put(w)
            state = opt.init(at) if state is None else state
            at, state, _ = opt.step(at, lambda x: (0 * at[0], put(grad(ms.backend.get(x)))), state)
            return ms.backend.get(at)

        return step

    return factory


def matrix(x):
    return ms.Dense(x) if x.ndim == 2 else ms.Diagonal(x)


def row(objective, constraint):
    """An objective of minisam in a constraint of minisam."""
    return lambda rho, eta, **hyper: ms.PreSAM(rho, objective(**hyper), constraint(eta))


RULES = {
    "sam": ms.SAM,
    "asam": ms.ASAM,
    "fisher": ms.FisherSAM,
    "vasso": ms.VaSSO,
    "friendly": ms.FriendlySAM,
    "sparse": ms.SparseSAM,
    "info": ms.InfoSAM,
    "presam": lambda rho, D, C: ms.PreSAM(rho, matrix(D), matrix(C)),
    "vasso+asam": row(ms.Averaged, ms.Magnitude),
    "friendly+fisher": row(ms.Friendly, ms.Fisher),
    "sparse+asam": row(ms.Mask, ms.Magnitude),
    "info+asam": row(ms.NoiseWeights, ms.Magnitude),
    "info+fisher": row(ms.NoiseWeights, ms.Fisher),
}
