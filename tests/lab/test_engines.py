"""Where runs are computed makes no difference: this process, several, a dask cluster."""

import os
import signal
import sys
from importlib import import_module

import pytest

from minisam import SAM, lab
from minisam.cli import main
from minisam.lab import engines

study = import_module("minisam.lab.study")  # lab.study is the function in it
SETTING = lab.Setting(epochs=1)


def identity(x):
    return x


def fail(x):
    raise RuntimeError(f"task {x}")


@pytest.mark.parametrize("jobs", [1, 2])
def test_local(jobs):
    engine = engines.local(jobs)
    assert engine.jobs == jobs
    assert sorted(engine.map(identity, range(5))) == list(range(5))
    with pytest.raises(RuntimeError, match="task 0"):
        list(engine.map(fail, [0]))


def test_results_are_written_as_they_come(tmp_path):
    """An engine that breaks down halfway: what it gave before is in the log."""

    def breaks(function, tasks):
        for i, task in enumerate(tasks):
            if i == 2:
                raise KeyboardInterrupt
            yield function(task)

    log = lab.Log(tmp_path / "runs.jsonl", SETTING)
    counts = []
    with pytest.raises(KeyboardInterrupt):
        lab.study(SETTING, ["sgd", "sam"], 1, log=log, engine=engines.Engine(9, breaks),
                  progress=counts.append)  # fmt: skip
    again = lab.Log(tmp_path / "runs.jsonl", SETTING)
    assert again.results.keys() == log.results.keys() and len(again.results) == sum(counts) > 1


@pytest.mark.parametrize("jobs, size", [(1, 1), (1, 4), (1, 16), (8, 16)])
def test_tasks_are_populations_of_one_method(jobs, size, tmp_path, monkeypatch):
    tasks = []
    monkeypatch.setattr(study, "perform", lambda setting, runs: tasks.append(runs) or [])
    runs = study.tuning_runs(["sgd", "sam"])
    log = lab.Log(tmp_path / "runs.jsonl", SETTING)
    study.compute(SETTING, runs, log, engines.Engine(jobs, map), size, lambda n: None)
    assert sorted(run for task in tasks for run in task) == sorted(runs)
    assert max(map(len, tasks)) <= min(size, -(-len(runs) // jobs))  # work for every job
    assert all(len({run.method for run in task}) == 1 for task in tasks)


@pytest.mark.parametrize("size", [1, 3, 18])
def test_population_size_makes_no_difference(size, tmp_path, monkeypatch):
    monkeypatch.setitem(lab.METHODS, "sam", (SAM(1.0), (0.1, 0.4)))
    monkeypatch.setattr(study, "population_size", lambda *args: size)
    log = lab.Log(tmp_path / "runs.jsonl", SETTING)
    outcome = lab.study(SETTING, ["sam"], 2, log=log)
    found = {run: {k: v for k, v in r.items() if k != "seconds"} for run, r in log.results.items()}
    assert found == FOUND.setdefault("sam", found)
    assert outcome.rho["sam"] in (0.1, 0.4)


FOUND: dict = {}


def test_population_size_is_measured():
    assert study.population_size(SETTING, 4) in (1, 2, 4)
    assert study.population_size(SETTING, 1) == 1


class Cluster:
    """A dask client of which the scheduler or a worker gives another answer."""

    def __init__(self, scheduler, workers):
        self.scheduler, self.workers = scheduler, workers

    def run_on_scheduler(self, function):
        return self.scheduler or function()

    def run(self, function):
        return {f"tcp://w{i}": answer or function() for i, answer in enumerate(self.workers)}


def test_preflight():
    engines._preflight(Cluster(None, [None, None]), "host:1")
    missing = "ModuleNotFoundError: No module named 'minisam'"
    with pytest.raises(ValueError, match=f"the scheduler cannot run this minisam .{missing}"):
        engines._preflight(Cluster(missing, [None]), "host:1")
    with pytest.raises(ValueError, match=r"w1 cannot run this minisam .it has another version"):
        engines._preflight(Cluster(None, [None, "0123456789ab"]), "host:1")


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and two workers, processes of their own, on loopback."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        yield cluster


dask = pytest.mark.filterwarnings("ignore")  # of dask's own making


@pytest.mark.slow
@dask
def test_dask_gives_the_same_numbers(cluster, tmp_path, capsys):
    args = ["compare", "--methods", "sgd", "info", "--epochs", "1", "--seeds", "2", "--out"]
    address = cluster.scheduler_address.removeprefix("tcp://")
    assert main([*args, str(tmp_path / "dask"), "--dask", address]) == 0
    assert main([*args, str(tmp_path / "here"), "--jobs", "1"]) == 0
    there, here = (lab.Log(tmp_path / place / "runs.jsonl", SETTING).results
                   for place in ("dask", "here"))  # fmt: skip
    for results in (there, here):
        for result in results.values():
            del result["seconds"]
    assert there == here and len(here) == 31


@pytest.mark.slow
@dask
@pytest.mark.skipif(sys.platform == "win32", reason="kills a process by signal")
def test_killed_worker_loses_nothing(cluster, tmp_path):
    log = lab.Log(tmp_path / "runs.jsonl", SETTING)
    runs = study.tuning_runs(["sam", "vasso"])
    with engines.on_dask(cluster.scheduler_address) as engine:

        def killing(function, tasks):
            for i, result in enumerate(engine.map(function, tasks)):
                if i == 0:
                    with cluster.get_client() as client:
                        os.kill(min(client.run(os.getpid).values()), signal.SIGKILL)
                yield result

        study.compute(SETTING, runs, log, engines.Engine(2, killing), 2, lambda n: None)
    assert log.results.keys() == set(runs)
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 1 + len(runs)
