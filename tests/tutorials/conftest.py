"""Where the lessons are, and their builder."""

import importlib.util
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parents[2] / "tutorials"
SOURCES = sorted(TUTORIALS.glob("[0-9][0-9]_*.py"))


@pytest.fixture(scope="session")
def build():
    """The module ``tutorials/build.py``."""
    pytest.importorskip("jupytext", reason="needs the extra `teach`")
    spec = importlib.util.spec_from_file_location("build", TUTORIALS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=SOURCES, ids=lambda source: source.stem)
def source(request):
    """The percent script of each lesson."""
    return request.param
