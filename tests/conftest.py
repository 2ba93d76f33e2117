"""Shared by all tests: the Hypothesis profiles, and the backends."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.backends import BACKENDS, Backend, why_no_gpu, why_no_torch

settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
settings.register_profile("deep", settings.get_profile("ci"), derandomize=False, max_examples=1000)
# for mutation testing: stop at the first failure, as found
settings.register_profile("quick", settings.get_profile("ci"), phases=[Phase.generate])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_modifyitems(items):
    for mark, why_not in (("gpu", why_no_gpu), ("peers", why_no_torch)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        if marked and (why := why_not()):
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session", params=BACKENDS, ids=str)
def backend(request) -> Backend:
    return request.param
