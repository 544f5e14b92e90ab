"""Every key a user can set: dataclasses whose fields carry their one-line description.

``help`` is what ``--help`` prints; ``choices`` and ``bounds`` are what a value is checked against before anything
starts. Where a section has several kinds (a source, a model), the table beside it (``SOURCES``, ``MODELS``) names the
dataclass.
"""

# ruff: noqa: RUF009  key() is a dataclasses.field

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from .declare import key
from .models import MODELS

# --- where data come from ---------------------------------------------------------------------------------------------


@dataclass
class EmbeddedSource:
    """The embedded world: towers (the rich truth, observed) or simulation (a simpler model on grid cells)."""

    kind: str = key("embedded", "which reader", choices=["embedded"])
    face: str = key(
        "towers",
        "towers: noisy, gappy observations of the truth; simulation: gridded cells",
        choices=["towers", "simulation"],
    )
    seed: int = key(0, "seed of the world; both faces of one seed share weather and land", bounds=(0, 2**31 - 1))
    places: int = key(60, "number of towers, or of grid cells", bounds=(1, 100_000))
    years: int = key(6, "length of the record", bounds=(1, 60))
    start: int = key(2001, "first year", bounds=(1800, 2200))
    hidden_share: float = key(
        0.5, "share of the variance of towers' hidden properties that neighbours share", bounds=(0.0, 1.0)
    )
    hidden_range_km: float = key(700.0, "how far that shared part reaches", bounds=(1.0, 20_000.0))
    role_separation: float = key(
        1.0,
        "how strongly hidden properties set a tower's response to the day's weather: a factor on those spreads",
        bounds=(0.0, 10.0),
    )


@dataclass
class TableSource:
    """Anyone's daily Parquet or CSV with a site table and a column map."""

    kind: str = key("table", "which reader", choices=["table"])
    columns: str = key(MISSING, "column map: a name in configs/columns/ or a path to a YAML file")
    path: str = key(MISSING, "daily table (Parquet or CSV), relative to data.root")
    sites: str = key(MISSING, "site table (CSV or Parquet), relative to data.root")


@dataclass
class CubeSource:
    """A cube that raciflux wrote earlier."""

    kind: str = key("cube", "which reader", choices=["cube"])
    path: str = key(MISSING, "Zarr folder, relative to data.root")


@dataclass
class FluxnetSource:
    """FLUXNET-standard downloads: FLUXNET2015, FLUXNET-CH4, AmeriFlux FLUXNET and BASE, ICOS."""

    kind: str = key("fluxnet", "which reader", choices=["fluxnet"])
    path: str = key(MISSING, "folder of downloads, a ZIP or a CSV, relative to data.root; the network's names are kept")
    product: str = key(
        "", "only this product; empty takes all", choices=["", "FLUXNET2015", "FLUXNET-CH4", "FLUXNET", "BASE"]
    )
    steps: str = key(
        "auto",
        "auto: half-hours, which tell what was measured, where a site has them, else days",
        choices=["auto", "half_hours", "days"],
    )
    least_share: float = key(0.8, "share of a day's half-hours that must be known for its value", bounds=(0.01, 1.0))
    site_facts: list[str] = key([], "BIF or BADM files, relative to data.root; empty looks beside the tables")


@dataclass
class XMethaneWetSource:
    """X-MethaneWet (arXiv 2505.18355) in its published layout: TEM-MDM on a grid, and FLUXNET-CH4 towers."""

    kind: str = key("xmethanewet", "which reader", choices=["xmethanewet"])
    face: str = key("towers", "towers: observations; cells: the simulation, by grid cell", choices=["towers", "cells"])
    path: str = key("X-MethaneWet", "folder that holds TEM-MDM/ and FLUXNET-CH4/, relative to data.root")
    first_year: int = key(1979, "cells: first year", bounds=(1800, 2200))
    last_year: int = key(1988, "cells: last year", bounds=(1800, 2200))
    cells: int = key(0, "cells: how many of those that emit, drawn by seed; 0 takes all", bounds=(0, 40_000_000))
    seed: int = key(0, "seed of that draw", bounds=(0, 2**31 - 1))
    paper_compat: bool = key(
        False, "read as the published code does: its cell index, 365-day years, emissions divided by 23"
    )
    units: list[str] = key([], "units of grids, NAME=UNIT such as TAIR=K, where the files state none or a wrong one")


@dataclass
class GridSource:
    """A gridded product in CF NetCDF or Zarr: process models, inversions; a page of YAML says what it holds."""

    kind: str = key("grid", "which reader", choices=["grid"])
    page: str = key(MISSING, "the product's page: a name in configs/grids/ or a path to a YAML file")
    path: str = key(MISSING, "folder of its files, relative to data.root")
    first_year: int = key(MISSING, "first year", bounds=(1800, 2200))
    last_year: int = key(MISSING, "last year", bounds=(1800, 2200))
    resolution: float = key(0.0, "degrees to regrid to, conserving totals; 0 keeps the flux's own", bounds=(0.0, 30.0))
    sites: str = key("", "site table (site_id, lat, lon) to sample at, relative to data.root; empty takes cells")
    cells: int = key(0, "how many of the cells with a flux, drawn by seed; 0 takes all", bounds=(0, 40_000_000))
    seed: int = key(0, "seed of that draw", bounds=(0, 2**31 - 1))


@dataclass
class AgroFluxSource:
    """AgroFlux (arXiv 2602.01614) in its published arrays: Ecosys runs of Midwest counties, and flux towers."""

    kind: str = key("agroflux", "which reader", choices=["agroflux"])
    face: str = key("towers", "towers: observations; simulation: Ecosys runs", choices=["towers", "simulation"])
    path: str = key("AgroFlux", "folder that holds data_files/ and county_metrics/, relative to data.root")
    rate: int | None = key(None, "simulation: one of the 20 rates of nitrogen; null takes all", bounds=(0, 19))
    sites: str = key("", "towers: table number, site_id, lat, lon, first_year, which the arrays do not tell")


@dataclass
class PykgmlSource:
    """PyKGML's serialised carbon data (.sav); read as numbers, code in it never runs."""

    kind: str = key("pykgml", "which reader", choices=["pykgml"])
    path: str = key("PyKGML/co2_pretrain_data.sav", "the file, relative to data.root")
    sites: str = key("", "table site_id, lat, lon, a row a site in the order of the file, which does not tell them")
    first_year: int = key(2001, "year of the first day", bounds=(1950, 2100))


@dataclass
class PoolSource:
    """Sources of a pool that scripts/harmonise.py built, their sites beside each other."""

    kind: str = key("pool", "which reader", choices=["pool"])
    path: str = key("pool", "folder of the pool, relative to data.root")
    take: list[str] = key([], "which of its sources; empty takes all")


SOURCES: dict[str, type] = {
    "embedded": EmbeddedSource,
    "table": TableSource,
    "cube": CubeSource,
    "fluxnet": FluxnetSource,
    "xmethanewet": XMethaneWetSource,
    "grid": GridSource,
    "pool": PoolSource,
    "agroflux": AgroFluxSource,
    "pykgml": PykgmlSource,
}


@dataclass
class SplitConfig:
    """How sites are divided into training, validation and test: by cluster, or each by its own years."""

    kind: str = key(
        "spatial",
        "spatial: k folds of tower clusters; leave_site_out: one cluster a fold; stratified_*: folds alike in their "
        "classes; temperature_tail: warmest clusters tested; temporal: each site's last years tested",
        choices=[
            "spatial",
            "leave_site_out",
            "stratified_igbp",
            "stratified_koppen",
            "temperature_tail",
            "temporal",
        ],
    )
    test_share: float = key(0.2, "temporal: share of each site's labelled years that is tested", bounds=(0.01, 0.9))
    test_from: int | None = key(
        None, "temporal: year from which on every site is tested; null takes test_share", bounds=(1800, 2200)
    )
    file: str | None = key(
        None, "a shipped or own split file instead of a draw: a name in configs/splits/ or a path; null draws"
    )
    label_share: float = key(
        1.0, "share of the training and validation sites whose fluxes are shown (at least 4 and 1)", bounds=(0.001, 1.0)
    )
    folds: int = key(5, "number of folds of a spatial or stratified split", bounds=(2, 1000))
    fold: int | None = key(None, "which fold is the test; null runs all folds in turn and pools them", bounds=(0, 999))
    validation_share: float = key(0.2, "share of the remaining clusters kept apart for validation", bounds=(0.01, 0.9))
    cluster_km: float = key(
        50.0, "towers closer than this, directly or through others, form one cluster", bounds=(0.0, 20_000.0)
    )
    min_scored_days: int = key(180, "sites with fewer scored days are trained on but not scored", bounds=(1, 100_000))
    seed: int = key(0, "seed of the draw of folds and validation clusters", bounds=(0, 2**31 - 1))


@dataclass
class WindowConfig:
    """What the model reads at once."""

    warmup_days: int = key(90, "days encoded before the first scored day", bounds=(0, 3650))
    scored_days: int = key(360, "days scored in a window", bounds=(1, 3650))
    block_days: int = key(30, "length of a slow block (a month)", bounds=(1, 366))
    history_blocks: int = key(12, "slow blocks read before the window", bounds=(1, 240))


@dataclass
class DataConfig:
    """Which flux of which ecosystem, from where, and how it is divided."""

    pair: str = key(
        MISSING,
        "flux/ecosystem pair",
        choices=[
            "wetland_ch4",
            "soil_sink_ch4",
            "cropland_gpp",
            "cropland_co2",
            "terrestrial_gpp",
            "terrestrial_co2",
            "terrestrial_carbon",
            "carbon_balance",
        ],
    )
    root: str = key(
        "${oc.env:RACIFLUX_DATA,../shared/data}", "folder that holds your data; default: the variable RACIFLUX_DATA"
    )
    source: Any = key(MISSING, "where the observations come from")
    simulation: Any = key(None, "where the pretraining simulation comes from; null where there is none")
    sites: list[str] = key([], "only these site_ids; empty means all")
    drop_inputs: list[str] = key([], "inputs of the pair to leave out, by name")
    quality: str = key(
        "measured",
        "measured: QC >= 0.75 and measured share >= 0.5; published: every value, for data without a quality column",
        choices=["measured", "published"],
    )
    train_on_filled: bool = key(False, "also train on well filled days (QC >= 0.75)")
    asinh_at: float | None = key(
        None,
        "learn asinh(flux / asinh_at), for fluxes with a long tail: linear below this size, in the flux's unit, "
        "logarithmic above; null learns the flux itself",
        bounds=(1e-6, 1e6),
    )
    odd_sites: list[str] = key([], "sites reported a second time without: known oddities of a data set")
    split: SplitConfig = key(SplitConfig, "division into training, validation and test")
    window: WindowConfig = key(WindowConfig, "what the model reads at once")


# --- learning ---------------------------------------------------------------------------------------------------------


@dataclass
class StageConfig:
    """One stage of training."""

    steps: int = key(300, "optimiser steps at most", bounds=(1, 10_000_000))
    batch_size: int = key(64, "windows a step, over all devices", bounds=(1, 1_000_000))
    learning_rate: float = key(3e-3, "peak learning rate (AdamW, one cycle)", bounds=(0.0, 10.0))
    weight_decay: float = key(0.01, "AdamW weight decay", bounds=(0.0, 10.0))
    check_every: int = key(25, "steps between validations", bounds=(1, 1_000_000))
    patience: int = key(6, "validations without gain before a stop", bounds=(1, 100_000))


@dataclass
class TransferConfig:
    """From simulation to observations."""

    name: str = key(MISSING, "technique", choices=["scratch", "finetune"])
    pretrain: StageConfig = key(StageConfig, "stage on the simulation; ignored by scratch")
    finetune: StageConfig = key(StageConfig, "stage on the observations")
    freeze: list[str] = key(
        [], "parts of the network (slow_encoder, fast_encoder, ...) kept as pretrained while fine-tuning"
    )


@dataclass
class HeadConfig:
    """What a network says of each day: one value, quantiles, or a mixture of normals. All models of a run share it."""

    kind: str = key("point", "point: the mean; quantile; mixture of normals", choices=["point", "quantile", "mixture"])
    quantiles: int = key(19, "quantile head: number of evenly spaced levels, odd", bounds=(3, 199))
    components: int = key(3, "mixture head: number of normals", bounds=(1, 32))


@dataclass
class CalibrationConfig:
    """Prediction intervals whose coverage is set on clusters that training has not seen."""

    kind: str = key(
        "none",
        "none; cross_conformal: out-of-fold errors at training clusters set the width",
        choices=["none", "cross_conformal"],
    )
    parts: int = key(5, "parts of the training clusters, each predicted by a model trained without it", bounds=(2, 100))
    level: float = key(0.9, "share of days that an interval shall cover", bounds=(0.01, 0.999))
    score: str = key(
        "absolute",
        "of point forecasts; absolute: one width for all days; normalised: wider where the predicted flux is larger. "
        "Distributions are widened from their own quantiles",
        choices=["absolute", "normalised"],
    )


@dataclass
class TrainerConfig:
    """What it runs on."""

    accelerator: str = key("auto", "device kind", choices=["auto", "cpu", "gpu"])
    devices: int = key(1, "devices a node", bounds=(1, 1024))
    num_nodes: int = key(1, "nodes", bounds=(1, 10_000))
    strategy: str = key("auto", "Lightning strategy", choices=["auto", "ddp"])
    precision: str = key("32-true", "numeric precision", choices=["32-true", "bf16-mixed", "16-mixed", "64-true"])
    threads: int = key(0, "CPU threads of torch; 0 takes all cores", bounds=(0, 4096))
    progress: bool = key(True, "show progress bars")


@dataclass
class LoggerConfig:
    """Weights & Biases; the CSV log is always written."""

    wandb: str = key(
        "auto", "auto: online when a key is there, else offline", choices=["auto", "online", "offline", "disabled"]
    )
    project: str = key("raciflux", "W&B project")
    entity: str | None = key(None, "W&B team; null is your default")
    tags: list[str] = key([], "W&B tags")


@dataclass
class Config:
    """The whole configuration of a run."""

    experiment: str = key(MISSING, "name of the experiment: the folder of its runs")
    seed: int = key(0, "seed of weights, batches and dropout", bounds=(0, 2**31 - 1))
    output: str = key("runs", "folder of all runs")
    resume: str | None = key(None, "run folder to go on with; its own config is used")
    compare: list[str] = key([], "models trained beside the main one on the same splits", choices=list(MODELS))
    paper_compat: bool = key(False, "allow the models paper_*: X-MethaneWet's as published, with their faults")
    data: DataConfig = key(DataConfig, "data")
    model: Any = key(MISSING, "the model")
    label: str | None = key(None, "what tables call the model, to tell variants of one apart; null: its own name")
    head: HeadConfig = key(HeadConfig, "what networks say of each day")
    calibration: CalibrationConfig = key(CalibrationConfig, "prediction intervals")
    transfer: TransferConfig = key(TransferConfig, "from simulation to observations")
    trainer: TrainerConfig = key(TrainerConfig, "what it runs on")
    logger: LoggerConfig = key(LoggerConfig, "logging")
