"""No file that a user takes from elsewhere can run code: the calls that could are absent, and YAML's are refused."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from raciflux.config.cluster import read_cluster
from raciflux.config.compose import compose, from_yaml
from raciflux.datamodules.scaling import Scaler
from raciflux.datamodules.sources.column_map import load_column_map
from raciflux.datamodules.sources.gridded.page import load_page
from raciflux.errors import UserError
from raciflux.evaluation.comparison.entries import read_config
from raciflux.evaluation.run_folder import RunFolder
from raciflux.pool.plan import load_plan

ROOT = Path(__file__).parents[1]

# Where one of these calls stands all the same, and why.
ALLOWED = {
    ("src/modules/checkpoints.py", "torch.load"),  # the one place that reads checkpoints
    ("src/datamodules/sources/agriculture/arrays.py", "torch.load"),  # AgroFlux hands its arrays out in this format
    ("src/workflow/others.py", "pickle.loads"),  # from rank zero of this run, signed; never from a file
    ("src/yaml_strict.py", "yaml.load"),  # with a loader derived from the safe one, which the tests below hold to it
}
RUNS = {"eval", "exec", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
UNPICKLES = {
    f"{module}.{name}"
    for module in ("pickle", "cloudpickle", "dill", "joblib", "marshal", "pandas", "torch.jit")
    for name in ("load", "loads", "read_pickle", "Unpickler")
}
YAML = {f"yaml.{name}" for name in ("load", "load_all", "unsafe_load", "unsafe_load_all", "full_load", "full_load_all")}
UNPACKS = {"shutil.unpack_archive", "tarfile.open"}
METHODS = {"extractall", "extract"}  # of archives


def dangers(code: str) -> Iterator[str]:
    """Yield each call that could run what a file says, or write where an archive says."""
    tree = ast.parse(code)
    names = dict(_imported(tree))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name, said = _dotted(call.func, names), {word.arg: word.value for word in call.keywords}
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name in RUNS | UNPICKLES | YAML | UNPACKS | {"torch.load"} or method in METHODS:
            yield name if method not in METHODS else method
        if name == "torch.load" and not _is(said.get("weights_only"), True):
            yield "torch.load without weights_only=True"
        if "ckpt_path" in said and not _is(said.get("weights_only"), True):
            yield "ckpt_path without weights_only=True"
        if "allow_pickle" in said and not _is(said["allow_pickle"], False):
            yield "allow_pickle"
        if "shell" in said and not _is(said["shell"], False):
            yield "shell"


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    return f"{_dotted(node.value, names)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_no_call_runs_what_a_file_says() -> None:
    files = [path for folder in ("src", "scripts", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {(str(path.relative_to(ROOT)), danger) for path in files for danger in dangers(path.read_text())}
    assert found == ALLOWED


@pytest.mark.parametrize(
    "code",
    [
        "import torch; torch.load(p)",
        "from torch import load; load(p, weights_only=True)",
        "torch.load(p, weights_only=False)",
        "import pickle as p; p.loads(b)",
        "from pickle import Unpickler as U; U(f).load()",
        "np.load(p, allow_pickle=True)",
        "np.load(p, allow_pickle=trusted)",
        "import yaml; yaml.load(t, Loader=L)",
        "eval('1')",
        "import os; os.system('x')",
        "subprocess.run(c, shell=True)",
        "trainer.fit(m, ckpt_path=p)",
        "zipfile.ZipFile(p).extractall(q)",
        "import tarfile; tarfile.open(p)",
    ],
)
def test_each_kind_of_call_is_seen(code: str) -> None:
    assert list(dangers(code))


@pytest.mark.parametrize(
    "code", ["module.eval()", "np.load(p, allow_pickle=False)", "yaml.safe_load(t)", "json.load(f)"]
)
def test_what_is_harmless_is_left_alone(code: str) -> None:
    assert not list(dangers(code))


READERS = {
    "a recipe": lambda path: compose([f"experiment={path}"]),
    "data": lambda path: compose([f"data={path}"]),
    "a value that is typed": lambda path: compose([path.read_text().strip().replace(": ", "=", 1)]),
    "a cluster's page": lambda path: read_cluster(str(path)),
    "a column map": lambda path: load_column_map(str(path)),
    "a grid's page": lambda path: load_page(str(path)),
    "a pool's page": lambda path: load_plan([path]),
    "the configuration of a run": from_yaml,
    "the configuration of a run that is compared": lambda path: read_config(RunFolder(path.parent)),
    "a scaler": Scaler.load,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("tag", ["python/object/apply:os.mkdir", "python/object/new:os.mkdir", "python/name:os.mkdir"])
def test_a_tag_of_python_is_refused_in_one_line_and_runs_nothing(tmp_path: Path, read, tag: str) -> None:
    path, trace = tmp_path / "config.yaml", tmp_path / "ran"
    path.write_text(f"label: !!{tag} [{trace}]\n")
    with pytest.raises(UserError) as refused:
        read(path)
    assert "\n" not in str(refused.value)
    assert not trace.exists()
