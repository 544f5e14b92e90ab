"""What every rule is held against: a tiny world, ways to make parts of it absurd, and the demand that nothing moves."""

import gc
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.config.models import (
    ClimatologyConfig,
    LightGbmConfig,
    LstmConfig,
    MomentLstmConfig,
    NearestClimatologyConfig,
    RandomForestConfig,
    SiteMeanConfig,
)
from raciflux.config.raci import FirstGuessConfig, RaciConfig, RetrievalConfig
from raciflux.config.schema import CalibrationConfig, Config, DataConfig, LoggerConfig, SplitConfig, WindowConfig
from raciflux.config.transfer import StageConfig, TransferConfig
from raciflux.config.trees import ToldTreesConfig
from raciflux.datamodules import PAIRS
from raciflux.datamodules.roles import choose, scored_days
from raciflux.datamodules.split_draws import draw
from raciflux.datamodules.splits import Split
from raciflux.datamodules.towers import describe_towers
from raciflux.workflow.learn import Learned, learn
from raciflux.workflow.prepare import Prepared
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import quiet

from worlds import clusters, poisoned, split_in_time, tiny_cube

FLUX = ("GPP", "GPP_qc", "GPP_measured")
DRIVERS = ("TA", "SW", "VPD")
PAIR = "terrestrial_gpp"
WINDOW = WindowConfig(warmup_days=20, scored_days=45, block_days=15, history_blocks=3)
DATA = DataConfig(pair=PAIR, window=WINDOW, split=SplitConfig(folds=3, min_scored_days=30))
ONE_CHECK = StageConfig(steps=3, batch_size=8, check_every=3, learning_rate=0.02)
MODELS: dict[str, Any] = {
    "lstm": LstmConfig(hidden=4),
    "moment_lstm": MomentLstmConfig(hidden=4, embedding=3),
    "raci": RaciConfig(
        hidden=6,
        regime=4,
        embedding=3,
        retrieval=RetrievalConfig(neighbours=2, width=3),
        # one tree: validation may choose their number, and these worlds ask what else it moves
        first_guess=FirstGuessConfig(parts=2, trees=ToldTreesConfig(rounds=1, min_leaf=10, neighbours=2)),
    ),
    "site_mean": SiteMeanConfig(),
    "climatology": ClimatologyConfig(),
    "nearest_climatology": NearestClimatologyConfig(neighbours=2),
    "lightgbm": LightGbmConfig(rounds=10, min_leaf=10, patience=3),
    "random_forest": RandomForestConfig(trees=3, leaves=8, min_leaf=10),
}


@dataclass(frozen=True)
class Leak:
    """A way to break a rule: what it changes in the house, and what the check then says."""

    build: Callable[[pytest.MonkeyPatch], None]
    caught: str  # regular expression


@cache
def towers() -> xr.Dataset:
    """Twelve towers in six pairs, of which two pairs are tested, one validates and three train."""
    return tiny_cube()


def split_of(question: str, cube: xr.Dataset | None = None) -> Split:
    """A split over sites of which one hides its fluxes, or one in time."""
    cube = towers() if cube is None else cube
    if question == "new_years":
        return split_in_time(cube)
    drawn = draw(DATA.split, 0, prepared(cube).described)
    return replace(drawn, unlabelled=drawn.train[:1])


def part_days(split: Split, part: str) -> np.ndarray:
    """Days (site, day) whose fluxes belong to a part."""
    return split.days(part, towers()["site_id"].to_numpy(), towers()["time"].to_numpy())


def held_out(split: Split) -> xr.Dataset:
    """The towers with absurd fluxes, all of them called measured, wherever training has no business."""
    return poisoned(towers(), ~part_days(split, "train"), FLUX)


def prepared(cube: xr.Dataset, simulation: xr.Dataset | None = None) -> Prepared:
    """What ``prepare`` would make of a cube."""
    roles = choose(PAIRS[PAIR].pair, [cube], ())
    measured, _ = scored_days(cube, roles.targets, "measured")
    described = describe_towers(cube, clusters(cube), measured.any(-1))
    return Prepared(cube, clusters(cube), simulation, roles, described, (0,), ())


def config(model: str, stage: StageConfig = ONE_CHECK, **changes: Any) -> Config:
    transfer = TransferConfig(name="scratch", finetune=stage, pretrain=stage)
    silent = {"logger": LoggerConfig(wandb="disabled"), "calibration": CalibrationConfig()}
    given = {"data": DATA, "transfer": transfer, **silent, **changes}
    return Config(experiment="leakage", model=MODELS[model], **given)


def learned(model: str, cube: xr.Dataset, split: Split, stage: StageConfig = ONE_CHECK) -> Learned:
    """A whole training and its predictions of the test days."""
    quiet()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)  # most of a tiny training's time
        progress = RunProgress(1, visible=False, speaks=False)
        return learn(config(model, stage), prepared(cube), split, Path(folder), progress)


# --- the demand -------------------------------------------------------------------------------------------------------


def demand_still(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse that anything differs between two readings of the house."""
    moved = [name for name, value in before.items() if not same(value, after[name])]
    assert not moved, f"moved: {', '.join(moved)}"


def demand_awake(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str] = ()) -> None:
    """Refuse that something stands still although what it is made of changed: the check would be blind."""
    blind = [name for name in names or before if same(before[name], after[name])]
    assert not blind, f"blind to what should matter: {', '.join(blind)}"


def same(one: Any, other: Any) -> bool:
    """Whether two things are equal to the bit, NaN equal to NaN."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if is_dataclass(one):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    return bool(one == other or (one != one and other != other))
