"""Without a GPU, CuPy can still say whether it knows every function and keyword the code uses."""

import ast
import inspect
from pathlib import Path

import pytest

import minisam

ROOT = Path(minisam.__file__).parent
# backend.py speaks to NumPy as well; it is run on the other libraries
FILES = sorted({*ROOT.glob("*.py"), *ROOT.glob("lab/*.py")} - {ROOT / "backend.py"})


def unknown_to(xp, source: str) -> list[str]:
    """Return the uses of ``xp.name`` and ``xp.name(keyword=...)`` that ``xp`` does not have."""
    found = []
    tree = ast.parse(source)
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and of_xp(n)]
    found += [ast.unparse(n) for n in names if not resolve(xp, n)]
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        if isinstance(call.func, ast.Attribute) and of_xp(call.func):
            try:
                takes = inspect.signature(resolve(xp, call.func)).parameters
            except (TypeError, ValueError):  # unknown, or a kernel without a Python signature
                continue
            if not any(p.kind is p.VAR_KEYWORD for p in takes.values()):
                found += [f"xp.{call.func.attr}({k.arg}=)" for k in call.keywords
                          if k.arg and k.arg not in takes]  # fmt: skip
    return found


def of_xp(node) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id == "xp"


def resolve(xp, node):
    outer = xp if isinstance(node.value, ast.Name) else resolve(xp, node.value)
    return getattr(outer, node.attr, None)


@pytest.fixture(scope="module")
def cupy_namespace():
    pytest.importorskip("cupy")
    return pytest.importorskip("array_api_compat.cupy")


@pytest.mark.parametrize("file", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_function_and_keyword_is_known(cupy_namespace, file):
    assert unknown_to(cupy_namespace, file.read_text()) == []


def test_wrong_names_are_noticed(cupy_namespace):
    source = "xp.vecdott(u); xp.sum(u, axes=1); xp.linalg.nrom(u); xp.sum(u, axis=-1)"
    assert unknown_to(cupy_namespace, source) == ["xp.vecdott", "xp.linalg.nrom", "xp.sum(axes=)"]


def test_results_can_be_written_in_place(cupy_namespace):
    """``backend.write`` counts on ``out=`` for the two functions it is called with."""
    for name in ("matmul", "sum"):
        takes = inspect.signature(getattr(cupy_namespace, name)).parameters
        assert "out" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values())
    assert hasattr(__import__("cupy").ndarray, "mT")
