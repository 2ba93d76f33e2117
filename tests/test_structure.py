"""The house: arrows point one way, and `import minisam` is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minisam

HOUSE = Path(minisam.__file__).parent

# what each file of the method may import from minisam
METHOD = {
    "backend": set(),
    "checks": {"backend"},
    "losses": {"backend"},
    "mlp": {"backend", "checks", "losses"},
    "preconditioners": {"backend", "checks"},
    "optimizers": {"backend", "checks"},
    "presam": {"backend", "checks", "preconditioners", "optimizers"},
}
WINGS = {
    "laws": {"backend", "laws"},  # never the code it judges
    "theory": {"", *METHOD, "theory"},
    "lab": {"", *METHOD, "lab"},
}

DRAWN = {"pictures", "predict.py"}  # the pictures of the theory, in the style of the lab


def imported(source: str, package: str = "minisam") -> set[str]:
    """Return the modules that ``source`` imports, anywhere in it, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, base] if base else parts)
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def neighbours(path: Path) -> set[str]:
    """Return the top-level parts of minisam that a file imports; "" is minisam itself."""
    package = ".".join(path.relative_to(HOUSE.parent).parts[:-1])
    names = {n for n in imported(path.read_text(), package) if n.split(".")[0] == "minisam"}
    parts = {n.split(".")[1] if "." in n else "" for n in names}
    here = {p.stem for p in HOUSE.iterdir()}
    # `from minisam import MLP` names the package, `from minisam import backend` the module
    return {p if p in here else "" for p in parts} - ({""} if parts & here else set())


def files(part: str) -> list[Path]:
    return sorted((HOUSE / part).rglob("*.py"))


def test_the_parser_sees_every_form():
    source = (
        "import a.b as c\nfrom d import e\ndef f():\n    from . import g\n    from ..h import i\n"
    )
    assert imported(source, "p.q") == {"a.b", "d", "d.e", "p.q", "p.q.g", "p.h", "p.h.i"}


@pytest.mark.parametrize("name", METHOD)
def test_arrows_of_the_method(name):
    assert neighbours(HOUSE / f"{name}.py") <= METHOD[name]


@pytest.mark.parametrize("wing", WINGS)
def test_arrows_of_the_wings(wing):
    assert files(wing)
    for path in files(wing):
        allowed = WINGS[wing]
        if DRAWN & set(path.relative_to(HOUSE).parts):
            allowed = allowed | {"lab"}
        assert neighbours(path) <= allowed, path


def test_nothing_imports_the_command_line():
    for path in HOUSE.rglob("*.py"):
        if path.name not in ("cli.py", "__main__.py"):
            assert "minisam.cli" not in imported(
                path.read_text(), ".".join(path.relative_to(HOUSE.parent).parts[:-1])
            ), path


@pytest.mark.parametrize("name", METHOD)
def test_only_the_backend_knows_array_libraries(name):
    roots = {n.split(".")[0] for n in imported((HOUSE / f"{name}.py").read_text())}
    libraries = {"array_api_compat", "cupy", "torch", "jax", "scipy"}
    assert not roots & (libraries - ({"array_api_compat"} if name == "backend" else set()))


def test_the_method_is_short():
    """Six files to read in one sitting; what wrong calls are told is beside them."""
    six = METHOD.keys() - {"checks"}
    lines = sum(len((HOUSE / f"{name}.py").read_text().splitlines()) for name in six)
    assert lines <= 1100


def fresh(code: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=HOUSE.parent, capture_output=True, text=True, check=True)
    return done.stdout


def test_import_is_light():
    heavy = [
        "matplotlib",
        "sklearn",
        "scipy",
        "hypothesis",
        "joblib",
        "tqdm",
        "torch",
        "cupy",
        "jax",
    ]
    loaded = fresh(f"import sys, minisam; print([m for m in {heavy} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_import_is_fast():
    """Under 0.3 s, of processor time so that a busy machine does not matter; best of three."""
    code = (
        "import time, numpy; t = time.process_time(); "
        "import minisam; print(time.process_time() - t)"
    )
    assert min(float(fresh(code)) for _ in range(3)) < 0.3 - 0.1  # NumPy alone takes about 0.1 s


def test_the_wings_load_when_asked():
    assert fresh("import minisam; print(minisam.laws.__name__)").strip() == "minisam.laws"
