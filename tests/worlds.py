"""A tiny fabricated cube and the data module over it, for tests of everything that learns."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import xarray as xr
from raciflux.config.models import LstmConfig
from raciflux.config.schema import Config, DataConfig, LoggerConfig, SplitConfig, TrainerConfig, WindowConfig
from raciflux.config.transfer import StageConfig, TransferConfig
from raciflux.datamodules import CarbonBalance, TerrestrialCarbon, TerrestrialGPP
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.cube import attributes
from raciflux.datamodules.roles import choose
from raciflux.datamodules.split_draws import draw
from raciflux.datamodules.splits import Split
from raciflux.datamodules.towers import clusters_of, describe_towers
from raciflux.workflow.stages import quiet

SHARE = {"units": "1"}
CLUSTER_KM = 50.0
WINDOW = WindowConfig(warmup_days=20, scored_days=45, block_days=15, history_blocks=3)
STAGE = StageConfig(steps=4, check_every=2, batch_size=8)
TINY_RUN = Config(  # of a network, from scratch; tests replace what they are about
    experiment="tiny",
    model=LstmConfig(hidden=6),
    data=DataConfig(
        pair="terrestrial_gpp", split=SplitConfig(min_scored_days=30, cluster_km=CLUSTER_KM), window=WINDOW
    ),
    transfer=TransferConfig(name="scratch", finetune=STAGE),
    trainer=TrainerConfig(accelerator="cpu", progress=False),
    logger=LoggerConfig(wandb="disabled"),
)


def tiny_cube(sites: int = 12, days: int = 731, seed: int = 0) -> xr.Dataset:
    """Towers in twos 11 km apart, daily drivers with gaps, and a GPP that follows them, partly measured."""
    rng = np.random.default_rng(seed)
    pair = np.arange(sites) // 2
    season = -np.cos(2 * np.pi * np.arange(days) / 365.25)[None]
    level = rng.normal(size=(sites, 1))
    ta = 10 + 2 * level + 9 * season + rng.normal(0, 3, (sites, days))
    sw = np.maximum(150 + 90 * season + rng.normal(0, 40, (sites, days)), 0)
    vpd = rng.gamma(2.0, 3.0, (sites, days))
    gpp = np.maximum(0.02 * sw * (1 + 0.3 * level) + 0.1 * ta + rng.normal(0, 0.5, (sites, days)), 0)
    measured = rng.random((sites, days))
    quality = np.clip(measured + 0.4 * rng.random((sites, days)), 0, 1)

    drivers = {"TA": ta, "SW": sw, "VPD": vpd}
    for values in drivers.values():
        values[rng.random(values.shape) < 0.03] = np.nan
    drivers["VPD"][min(3, sites - 1), 100:400] = np.nan  # a long gap, over which trailing means go missing
    gpp[rng.random(gpp.shape) < 0.1] = np.nan
    elevation = rng.uniform(0, 2000, sites)
    elevation[-1] = np.nan

    first = np.datetime64("2003-01-01", "ns")
    daily = {name: (("site", "time"), values.astype(np.float32), attributes(name)) for name, values in drivers.items()}
    return xr.Dataset(
        {
            **daily,
            "GPP": (("site", "time"), gpp.astype(np.float32), attributes("GPP")),
            "GPP_qc": (("site", "time"), quality.astype(np.float32), SHARE),
            "GPP_measured": (("site", "time"), measured.astype(np.float32), SHARE),
            "elevation": ("site", elevation.astype(np.float32), attributes("elevation")),
            "mat": ("site", (10 + 2 * level[:, 0]).astype(np.float32), attributes("mat")),
            "igbp": ("site", np.array(["GRA", "ENF", "unknown"])[pair % 3]),
            "koppen": ("site", np.array(["C", "D"])[pair % 2]),
        },
        {
            "site_id": ("site", np.array([f"XX-T{i:02d}" for i in range(sites)])),
            "lat": ("site", 40 + 3.0 * (pair % 3) + 0.1 * (np.arange(sites) % 2)),
            "lon": ("site", 5 + 4.0 * pair),
            "time": ("time", first + np.arange(days) * np.timedelta64(1, "D"), {"source_calendar": "standard"}),
        },
    )


def carbon_cube(sites: int = 12, days: int = 731, seed: int = 0) -> xr.Dataset:
    """The tiny cube with an NEE beside its GPP: measured on other days, and at some of the sites alone."""
    cube = tiny_cube(sites, days, seed)
    rng = np.random.default_rng([seed, 1])
    shape = (sites, days)
    nee = (2.0 - 0.7 * cube["GPP"].to_numpy() + rng.normal(0, 0.3, shape)).astype(np.float32)
    nee[rng.random(shape) < 0.2] = np.nan
    nee[::5] = np.nan
    measured = rng.random(shape).astype(np.float32)
    quality = np.clip(measured + 0.4 * rng.random(shape), 0, 1).astype(np.float32)
    daily = {"NEE": (nee, attributes("NEE")), "NEE_qc": (quality, SHARE), "NEE_measured": (measured, SHARE)}
    return cube.assign({name: (("site", "time"), values, attrs) for name, (values, attrs) in daily.items()})


def uptake_cube(sites: int = 12, days: int = 731, seed: int = 0) -> xr.Dataset:
    """The tiny cube with soils that take up methane in the place of GPP."""
    names = {f"GPP{suffix}": f"FCH4{suffix}" for suffix in ("", "_qc", "_measured")}
    cube = tiny_cube(sites, days, seed).rename({**names, "TA": "TS"})
    cube["TS"].attrs = attributes("TS")
    return cube.assign(FCH4=(("site", "time"), -0.3 * cube["FCH4"].to_numpy(), attributes("FCH4")))


def balance_cube(sites: int = 12, days: int = 731, seed: int = 0) -> xr.Dataset:
    """The tiny cube with NEE and RECO beside its GPP, in balance where all are known and of one quality."""
    cube = tiny_cube(sites, days, seed)
    rng = np.random.default_rng([seed, 2])
    reco = 1.0 + 0.3 * cube["GPP"].to_numpy() + np.abs(rng.normal(0, 0.4, (sites, days)))
    reco[::5, : days // 2] = np.nan
    nee = reco - cube["GPP"].to_numpy()
    daily = {}
    for name, values in {"NEE": nee, "RECO": reco}.items():
        daily[name] = (("site", "time"), values.astype(np.float32), attributes(name))
        daily |= {name + suffix: cube["GPP" + suffix] for suffix in ("_qc", "_measured")}
    return cube.assign(daily)


def poisoned(cube: xr.Dataset, days: np.ndarray, names: Sequence[str]) -> xr.Dataset:
    """Absurd values of ``names`` on the days (site, day); a flux's quality, where named, calls them measured."""
    rng = np.random.default_rng(1)
    changed = {}
    for name in names:
        values = cube[name].to_numpy().copy()
        values[days] = 1.0 if name.endswith(("_qc", "_measured")) else rng.normal(300, 90, int(days.sum()))
        changed[name] = (("site", "time"), values, cube[name].attrs)
    return cube.assign(changed)


def clusters(cube: xr.Dataset) -> np.ndarray:
    return clusters_of(cube, CLUSTER_KM)


def tiny_split(cube: xr.Dataset, fold: int = 0) -> Split:
    labelled = cube["GPP"].transpose("site", "time").notnull().to_numpy()
    return draw(SplitConfig(folds=3), fold, describe_towers(cube, clusters(cube), labelled))


VALIDATION_FROM, TEST_FROM = 460, 475  # of the split in time: so few days apart that a window reaches all three parts


def split_in_time(cube: xr.Dataset) -> Split:
    """Every site trains on its past and is validated and tested on what follows, a few days later for each.

    Fluxes are shown until the first of a cluster is tested.
    """
    names = tuple(str(name) for name in cube["site_id"].to_numpy())
    codes = clusters(cube).tolist()
    day = [str(date)[:10] for date in cube["time"].to_numpy()]
    periods = {name: (day[VALIDATION_FROM + i], day[TEST_FROM + 2 * i]) for i, name in enumerate(names)}
    first = [min(periods[mate][1] for mate, other in zip(names, codes, strict=True) if other == own) for own in codes]
    return Split(0, names, names, names, periods, shown_until=dict(zip(names, first, strict=True)))


def tiny_data(cube: xr.Dataset, split: Split | None = None, **changes: Any) -> FluxDataModule:
    """A data module with short windows; ``changes`` go to the module or, by their names, to its ``DataConfig``.

    It predicts both fluxes of a cube that has two, and all of one that has three, in balance.
    """
    module = {"batch_size": 16, "seed": 0, "scaler": None}
    own = {name: changes.pop(name, default) for name, default in module.items()}
    build = CarbonBalance if "RECO" in cube else TerrestrialCarbon if "NEE" in cube else TerrestrialGPP
    config = replace(DataConfig(pair=build.pair.name, window=WINDOW), **changes)
    roles = choose(build.pair, [cube], config.drop_inputs)
    return build(cube, clusters(cube), roles, split or tiny_split(cube), config, **own)


def quiet_trainer(folder: Path, **settings: Any) -> lightning.Trainer:
    """A trainer on the CPU that shows nothing and, unless told otherwise, keeps nothing."""
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    quiet()
    return lightning.Trainer(
        **{"accelerator": "cpu", "enable_checkpointing": False, "default_root_dir": folder, **silent, **settings}
    )
