"""The conda route, the pip route and the pins say the same."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
# conda's names for what PyPI calls otherwise; the GPU builds replace the CPU ones
CONDA_NAMES = {"pytorch-gpu": "torch", "faiss-gpu": "faiss-cpu"}
CARD = {"lightning", "torch", "torchmetrics", "wandb", "omegaconf", "polars", "faiss-cpu"}


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normal(name): version for name, version in pairs}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def project() -> dict[str, list[str]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        content = tomllib.load(file)["project"]
    return {"": content["dependencies"], **content["optional-dependencies"]}


def names(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[<>=!~ ;\[]", line)[0]) for line in requirements}


def conda() -> dict[str, str]:
    content = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    split = (line.split(" ", 1) for line in content if isinstance(line, str) and " =" in line)
    return {normal(CONDA_NAMES.get(name, name)): version.lstrip("=") for name, version in split}


def test_environment_and_constraints_name_the_same_versions() -> None:
    pinned = pins()
    for name, version in conda().items():
        assert pinned[name] == version or pinned[name].startswith(version + "."), name


def test_environment_holds_every_dependency() -> None:
    assert names(project()[""]) | {"faiss-cpu"} == set(conda())


def test_every_declared_package_is_pinned() -> None:
    declared = set().union(*(names(lines) for extra, lines in project().items() if extra != "gpu"))
    assert declared <= set(pins())


@pytest.mark.parametrize("extra", ["", "cpu", "gpu", "hub", "dev"])
def test_every_bound_is_from_below_and_holds_what_is_pinned(extra: str) -> None:
    for line in project()[extra]:
        asked = Requirement(line)
        assert line.startswith("types-") or any(one.operator == ">=" for one in asked.specifier), line
        assert extra == "gpu" or asked.specifier.contains(pins()[normal(asked.name)]), line


def test_every_package_that_is_imported_is_declared() -> None:
    """What comes with another package today may not tomorrow."""
    packages, wanted = importlib.metadata.packages_distributions(), set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            wanted |= {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert {"torch", "yaml"} < wanted
    declared = names(project()[""]) | names(project()["cpu"]) | names(project()["hub"])
    assert {normal(owner) for name in wanted for owner in packages[name]} <= declared


def test_the_design_card_is_there() -> None:
    assert names(project()[""]) | names(project()["cpu"]) >= CARD
    assert {"cpu", "gpu", "dev", "hub"} <= set(project())


@pytest.mark.parametrize("extra", ["cpu", "gpu"])
def test_each_route_brings_one_faiss(extra: str) -> None:
    assert names(project()[extra]) == {f"faiss-{extra}"}
