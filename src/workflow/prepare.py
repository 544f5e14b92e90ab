"""From a configuration to cubes, clusters and data modules: everything that can go wrong with data goes wrong here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.knowledge import check_drivers
from ..config.schema import Config
from ..config.trainings import reads_series
from ..datamodules import PAIRS
from ..datamodules.base import FluxDataModule, days_with_drivers
from ..datamodules.cube import cell_size
from ..datamodules.gaps import missing_days, refuse_sites_without
from ..datamodules.roles import Roles, choose, scored_days
from ..datamodules.scaling import Scaler
from ..datamodules.sources import read, read_simulation
from ..datamodules.split_draws import draw, fold_count
from ..datamodules.splits import Split, away_from, grid_blocks, simulation_split
from ..datamodules.towers import Towers, clusters_of, describe_towers
from ..errors import UserError
from .calibration_parts import check_calibration
from .learned_from import STAGE, LearnedFrom, named_pretraining
from .left_out import left_out
from .simulated_series import notes_of_series, refuse_without, sites_without, with_series
from .stages import StageFolder


@dataclass(frozen=True)
class Prepared:
    """The cubes of a run and how they are divided.

    Attributes
    ----------
    towers : cube of the observations.
    cluster : (site,) cluster of each tower, computed on all sites before any split.
    simulation : cube of the simulation to train on; None for ``transfer=scratch``, for ``transfer.pretrained``, and
        where models read its flux at the towers, which their cube then holds (``simulated_series.with_series``).
    roles : variables that both cubes have.
    described : what the draw of a split looks at: classes, temperature and labelled days of each tower.
    folds : folds to run, each a test of its own.
    notes : what reading masked, sorted or converted, a line each.
    residual : whether models learn the rest to the simulated flux, which the towers' cube then holds.
    """

    towers: xr.Dataset
    cluster: NDArray[np.int64]
    simulation: xr.Dataset | None
    roles: Roles
    described: Towers
    folds: tuple[int, ...]
    notes: tuple[str, ...]
    residual: bool = False


def prepare(config: Config) -> Prepared:
    """Read the sources and settle roles, clusters and folds.

    Raises
    ------
    UserError
        For anything wrong with the data or the split, before training starts.
    """
    data = config.data
    pair = PAIRS[data.pair].pair
    root = Path(data.root)
    towers = read(data.pair, data.source, root, data.sites)
    for target in pair.targets:
        if target not in towers:
            raise UserError(
                f"data.pair={data.pair} predicts {target}, which this source does not declare; map a column to it"
            )
    simulation, learned = None, _learned_elsewhere(config)
    if config.transfer.name != "scratch" and learned is None:
        simulation = read_simulation(data.pair, data.simulation, root, towers)
        for target in pair.targets:
            if target not in simulation:
                raise UserError(f"data.simulation declares no {target}, a target of {data.pair}; map a column to it")
    cluster = clusters_of(towers, data.split.cluster_km)
    labelled = _labelled(towers, pair.targets, data.quality)
    unlabelled = [str(name) for name in towers["site_id"].to_numpy()[~labelled]]
    towers, cluster = towers.isel(site=labelled), cluster[labelled]
    trained_on = None if reads_series(config) else simulation
    cubes = [towers] if trained_on is None else [towers, trained_on]
    measured, _ = scored_days(towers, pair.targets, data.quality)
    described = describe_towers(towers, cluster, np.asarray(measured.any(-1)))
    count = fold_count(data.split, described)
    folds = tuple(range(count)) if data.split.fold is None else (data.split.fold,)
    roles = choose(pair, cubes, data.drop_inputs) if learned is None else learned.roles(config, towers)
    check_drivers(config.knowledge, roles.fast)
    for cube in cubes:
        refuse_sites_without(cube, pair)
    notes = _notes(cubes, roles)
    if simulation is not None and trained_on is None:
        towers, of_series = _with_series(config, towers, simulation)
        notes += of_series
    if unlabelled:
        notes += (f"observations: left out for want of a scored day of {_or(pair.targets)}: {', '.join(unlabelled)}",)
    prepared = Prepared(towers, cluster, trained_on, roles, described, folds, notes)
    _refuse_empty_tests(config, prepared, measured)
    for fold in folds if config.transfer.name != "scratch" else ():
        tested = left_out(config, towers, fold_split(config, prepared, fold))
        if learned is not None:
            learned.refuse_near(config, tested)
    if config.calibration.kind != "none":
        scored = measured & days_with_drivers(towers, pair.required)[..., None]
        for fold in folds:
            check_calibration(config, fold_split(config, prepared, fold), described, scored)
    return prepared


def _learned_elsewhere(config: Config) -> LearnedFrom | None:
    """Return what the pretraining of ``transfer.pretrained`` learned from, None where this run makes its own."""
    if config.transfer.pretrained is None:
        return None
    folder, _ = named_pretraining(config)
    return LearnedFrom.load(StageFolder(folder, STAGE).checkpoints)


def _labelled(towers: xr.Dataset, targets: Sequence[str], quality: str) -> NDArray[np.bool_]:
    """Mask (site,) of the sites with a day under either score: the others could neither train nor be scored."""
    _, convention = scored_days(towers, targets, quality)
    labelled = convention.any((1, 2))
    if not labelled.any():
        raise UserError(f"no site has a scored day of {_or(targets)}; check the quality columns, or data.quality")
    return np.asarray(labelled)


def _with_series(config: Config, towers: xr.Dataset, simulation: xr.Dataset) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Return the towers with the simulation's flux there, and what is to be said of it.

    Towers that it does not cover are refused where they would have nothing to start from; one more driver may be
    missing at some towers, but not at all.
    """
    pair = PAIRS[config.data.pair].pair
    towers = with_series(towers, simulation, pair)
    without = sites_without(towers, pair)
    if len(without) == towers.sizes["site"]:
        refuse_without(towers, pair, without, "take transfer.simulated_flux=emulator, which says it anywhere")
    if config.transfer.name == "residual":
        refuse_without(towers, pair, without, "take transfer=stacking, where they lack one driver")
    return towers, notes_of_series(towers, simulation, pair, without)


def _or(targets: Sequence[str]) -> str:
    return " or ".join(targets)


def _notes(cubes: Sequence[xr.Dataset], roles: Roles) -> tuple[str, ...]:
    lines = []
    for name, cube in zip(("observations", "simulation"), cubes, strict=False):
        said = [line for line in str(cube.attrs.get("reading_notes", "")).split("\n") if line]
        lines += [f"{name}: {line}" for line in said + missing_days(cube, roles)]
    return tuple(lines)


def _refuse_empty_tests(config: Config, prepared: Prepared, measured: NDArray[np.bool_]) -> None:
    """All folds together need a site to score; that each has days to train and validate on, `draw` sees to."""
    data = config.data
    site_id, time = prepared.described.site_id, prepared.described.time
    scored = 0
    for fold in prepared.folds:
        tested = draw(data.split, fold, prepared.described).days("test", site_id, time)
        scored += int(((measured & tested[:, :, None]).sum(1) >= data.split.min_scored_days).sum())
    if not scored:
        raise UserError(
            f"data.split: no test site has {data.split.min_scored_days} scored days; lower data.split.min_scored_days"
        )


def fold_split(config: Config, prepared: Prepared, fold: int) -> Split:
    """Return who trains, validates and is tested in a fold."""
    return draw(config.data.split, fold, prepared.described)


def tower_data(config: Config, prepared: Prepared, split: Split, pretrained: Scaler | None) -> FluxDataModule:
    """Return the data module of the observations.

    After pretraining, inputs keep the scale of the simulation, so that the weights keep their meaning, and the target
    is scaled by its own moments over training towers, unless ``transfer.inputs`` and ``transfer.align`` say otherwise.
    """
    transfer, build = config.transfer, PAIRS[config.data.pair]
    of_towers = (prepared.towers, prepared.cluster, prepared.roles, split, config.data)
    size = (transfer.finetune.batch_size, config.seed)
    fitted = build(*of_towers, *size, residual=prepared.residual)
    if pretrained is None:
        return fitted
    scaler = pretrained.carried_to(
        fitted.scaler, refitted=transfer.inputs == "refitted", in_units=transfer.align == "units"
    )
    return build(*of_towers, *size, scaler)


def simulation_data(config: Config, prepared: Prepared, split: Split) -> FluxDataModule:
    """Return the data module of the simulation, without the cells near tested towers (docs/architecture.md, rule 6).

    Raises
    ------
    UserError
        If no cell is left to train on, or the table of towers to keep away from cannot be read.
    """
    cube = prepared.simulation
    assert cube is not None
    data = replace(config.data, quality="simulated")
    lat, lon = cube["lat"].to_numpy().astype(np.float64), cube["lon"].to_numpy().astype(np.float64)
    site_id = cube["site_id"].to_numpy()
    tested = left_out(config, prepared.towers, split)
    usable = away_from(lat, lon, *tested, data.split.cluster_km, cell_size(cube))
    cells = simulation_split(data.split.validation_share, data.split.seed, site_id, lat, lon, usable)
    of_cells = (cube, grid_blocks(lat, lon), prepared.roles, cells, data, config.transfer.pretrain.batch_size)
    made = PAIRS[data.pair](*of_cells, config.seed)
    if config.transfer.inputs != "towers":
        return made
    towers = tower_data(config, prepared, split, None).scaler
    return PAIRS[data.pair](*of_cells, config.seed, replace(towers, targets=made.scaler.targets))
