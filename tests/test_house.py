"""Rules of the house that no linter knows: file length, who may import whom, and a wheel that holds everything."""

import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
WRITTEN_BY_HAND = {".py", ".yaml", ".yml", ".toml", ".md", ".html", ".css", ".js", ".cff"}
FOLDERS = ("src", "scripts", "tests", "benchmarks", "configs", "docs")
LONGEST = 350

LEAVES = {
    "json_strict",
    "atomic",
    "stopping",
    "config",
    "contracts",
    "errors",
    "variables",
    "geography",
    "land",
    "sun",
    "threads",
    "vapour",
    "yaml_strict",
    "zarr_folder",
}
SUMS = {"evaluation.metrics", "evaluation.site_statistics"}  # scores that training loops share with evaluation
MAY_IMPORT = {
    **dict.fromkeys(sorted(LEAVES), LEAVES),
    **dict.fromkeys(sorted(SUMS), LEAVES | SUMS),
    "simulation": LEAVES,
    "datamodules": LEAVES | {"simulation"},
    "pool": LEAVES | {"datamodules"},
    "retrieval": LEAVES,
    "own_days": LEAVES,
    "modules": LEAVES | SUMS | {"retrieval"},
    "transfer": LEAVES | {"modules"},
    "evaluation": LEAVES | SUMS,
    "workflow": LEAVES | SUMS | {"datamodules", "retrieval", "own_days", "modules", "transfer", "evaluation"},
    "sweep": LEAVES | {"workflow"},
    "command_line": LEAVES | {"workflow", "evaluation"},
}


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def room(module: str) -> str:
    """The room of a module's dotted name inside the package: ``modules.encoders.fast`` is in ``modules``."""
    return module if module in SUMS else module.split(".")[0]


def dotted(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = SRC / Path(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported(path: Path) -> set[str]:
    """Modules of the package that a file of it imports, anywhere in the file, by their dotted names inside."""
    package = path.relative_to(SRC).parent.parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            inside = {".".join(filter(None, [base, alias.name])) for alias in node.names}
            names |= {name if is_module(name) else base for name in inside}
    return names


def absolute_imports(path: Path) -> set[str]:
    """Top-level names of absolute imports, with ``importlib.import_module("...")`` and the like counted."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).split(".")[0])
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__"):
                names.add(str(node.args[0].value).split(".")[0])
    return names


# --- length and names -------------------------------------------------------------------------------------------------


def test_no_file_is_longer_than_one_idea():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")] + list(ROOT.glob("*"))
    written = [path for path in paths if path.is_file() and path.suffix in WRITTEN_BY_HAND]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in written}
    assert len(lines) > 100
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


def test_nobody_imports_the_package_by_the_name_of_its_folder():
    files = [*python_files("src", "scripts", "tests", "benchmarks"), ROOT / "setup.py"]
    assert [str(path) for path in files if "src" in absolute_imports(path)] == []


def test_imports_inside_the_package_are_relative():
    assert [str(path) for path in python_files("src") if "raciflux" in absolute_imports(path)] == []


# --- who may import whom ----------------------------------------------------------------------------------------------


def test_every_room_has_a_rule():
    assert {room(dotted(path)) for path in python_files("src")} - {""} == set(MAY_IMPORT)


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_imports_run_one_way(name):
    allowed = MAY_IMPORT[name] | {name}
    wrong = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in python_files("src")
        if room(dotted(path)) == name
        for module in imported(path)
        if room(module) not in allowed
    }
    assert wrong == set()


def test_the_reader_of_imports_sees_what_there_is():
    """The tests above can only fail if imports are found: relative ones, nested ones and whole modules."""
    assert "simulation.world" in imported(SRC / "datamodules" / "sources" / "embedded.py")
    assert "retrieval.role_aware" in imported(SRC / "modules" / "raci.py")
    assert {"config.schema", "modules"} <= imported(SRC / "workflow" / "stages.py")
    assert "modules.checkpoints" in imported(SRC / "transfer" / "finetune.py")


def test_the_rules_make_no_circle():
    order = ["leaves", "sums", "simulation", "retrieval", "own_days", "datamodules", "pool", "modules", "transfer"]
    order += ["evaluation", "workflow", "sweep", "command_line"]
    rank = {name: i for i, name in enumerate(order)} | dict.fromkeys(LEAVES, 0) | dict.fromkeys(SUMS, 1)
    for name, allowed in MAY_IMPORT.items():
        assert all(rank[other] < rank[name] for other in allowed - LEAVES - SUMS), name


# --- the wheel --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from a clean copy of the sources, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    shutil.copytree(SRC, copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(folder)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", *options, str(copy)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("raciflux-*.whl")
    return path


def test_the_wheel_holds_every_module_and_every_data_file(wheel):
    files = [path for path in SRC.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    expected = {f"raciflux/{path.relative_to(SRC).as_posix()}" for path in files}
    assert {Path(name).suffix for name in expected} >= {".py", ".json", ".html", ".typed"}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected


def test_every_package_of_the_source_is_one():
    """A folder without ``__init__.py`` is left out of a wheel in silence."""
    folders = {path.parent for path in python_files("src")}
    assert {str(folder) for folder in folders if not (folder / "__init__.py").is_file()} == set()


@pytest.mark.slow
def test_every_module_of_the_wheel_imports(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        modules = [name for name in archive.namelist() if name.startswith("raciflux/") and name.endswith(".py")]
    names = sorted(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in modules)
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n    print(importlib.import_module(name).__file__)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    places = done.stdout.split()
    assert len(places) == len(names)
    assert all(place.startswith(str(tmp_path)) for place in places)
