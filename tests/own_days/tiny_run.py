"""A finished run of a cheap model on a tiny world, with out-of-fold predictions of its training clusters."""

import importlib.util
from pathlib import Path
from types import ModuleType

SCRIPTS = Path(__file__).parents[2] / "scripts"
WORLD = [
    "experiment=embedded_wetland_ch4",
    "transfer=scratch",
    "compare=[]",
    "data.source.places=30",
    "data.source.years=4",
    "data.split.folds=2",
    "data.split.min_scored_days=30",
    "calibration.parts=2",
    "calibration.level=0.5",
    "trainer.progress=false",
    "report=false",
    "logger.wandb=disabled",
]
CALIBRATED = "calibration.kind=cross_conformal"


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"own_days_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trained(output: Path, *arguments: str) -> Path:
    load_script("train").main([*WORLD, *arguments, f"output={output}"])
    return run_in(output)


def run_in(output: Path) -> Path:
    (folder,) = output.glob("*/*-s[0-9]*")
    return folder
