"""Where the runs of a study are computed: in this process, in several, or on a dask cluster.

An engine is a function ``engine(function, tasks) -> iterator of results``, in the order in which
they are done. The results are the same on all of them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from minisam.checks import check_count


class Engine(NamedTuple):
    """How many tasks it computes at a time, and the function that computes them."""

    jobs: int
    map: Callable[[Callable, Iterable], Iterator]


def local(jobs: int | None = None) -> Engine:
    """``jobs`` processes of this machine (joblib), by default as many as it has cores.

    One job is computed in this process.
    """
    from joblib import cpu_count

    check_count("jobs", cpu_count() if jobs is None else jobs)
    jobs = jobs or cpu_count()
    return Engine(jobs, map if jobs == 1 else partial(_processes, jobs))


def _processes(jobs: int, function: Callable, tasks: Iterable) -> Iterator:
    from joblib import Parallel, delayed

    pool: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")
    return pool(delayed(function)(task) for task in tasks)


@contextmanager
def on_dask(address: str, timeout: float = 5.0) -> Iterator[Engine]:
    """The workers of the dask scheduler at ``address``, ``HOST:PORT``.

    dask computes the tasks of a killed worker again on another one.

    Raises
    ------
    ValueError
        If dask is not installed, there is no scheduler at ``address``, it has no workers, or not
        all of them have the very same code of minisam as this process. (dask would wait for ever
        for a scheduler that cannot import what it is sent.)
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ValueError("--dask needs dask: pip install 'minisam[sweep]'") from error
    try:
        # a Client that finds nobody there goes on trying after its error
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        socket.create_connection((host, port), timeout).close()  # type: ignore[arg-type]
        client: Any = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"no dask scheduler answers at {address}") from error
    with client:
        threads = client.nthreads()
        if not threads:
            raise ValueError(f"the dask scheduler at {address} has no workers")
        _preflight(client, address)

        def run(function: Callable, tasks: Iterable) -> Iterator[Any]:
            futures = client.map(function, list(tasks), pure=False)
            for future in as_completed(futures, loop=client.loop):
                yield future.result()

        yield Engine(sum(threads.values()), run)


def _preflight(client: Any, address: str) -> None:
    from minisam.lab.study import code_fingerprint

    def look():  # a local function travels by value: nothing needs to be imported to receive it
        try:
            from minisam.lab.study import code_fingerprint

            return code_fingerprint()
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    here = code_fingerprint()
    homes = {"the scheduler": client.run_on_scheduler(look), **client.run(look)}
    for home, there in homes.items():
        if there != here:
            why = there if ":" in there else "it has another version"
            raise ValueError(
                f"dask at {address}: {home} cannot run this minisam ({why}); "
                "install the same minisam there"
            )
