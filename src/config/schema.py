"""Every key a user can set: dataclasses whose fields carry their one-line description.

``help`` is what ``--help`` prints; ``choices`` and ``bounds`` are what a value is checked against before anything
starts. Where a section has several kinds (a source, a model), a table (``SOURCES`` of
`config.sources`, ``MODELS`` of `config.models`) names the dataclass.
"""

# ruff: noqa: RUF009  key() is a dataclasses.field

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from .declare import key
from .knowledge import KnowledgeConfig
from .models import MODELS
from .transfer import TransferConfig

# --- data -------------------------------------------------------------------------------------------------------------


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
        "measured: QC >= 0.75 and measured share >= 0.5; published: every value, for data without a quality column; "
        "simulated: every value, of a process model",
        choices=["measured", "published", "simulated"],
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
    devices: int = key(1, "devices a node; with several, each is a process", bounds=(1, 1024))
    num_nodes: int = key(
        1, "nodes of a cluster; srun starts a task for each device, see docs/cluster.md", bounds=(1, 10_000)
    )
    strategy: str = key("auto", "Lightning strategy", choices=["auto", "ddp"])
    precision: str = key("32-true", "numeric precision", choices=["32-true", "bf16-mixed", "16-mixed"])
    threads: int = key(
        0,
        "CPU threads, over all devices; 0 takes all cores that the process may use, or OMP_NUM_THREADS",
        bounds=(0, 4096),
    )
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
    group: str | None = key(None, "W&B group of the runs; null takes the experiment, a sweep its own name")


@dataclass
class Config:
    """The whole configuration of a run."""

    experiment: str = key(MISSING, "name of the experiment: the folder of its runs")
    seed: int = key(0, "seed of weights, batches and dropout", bounds=(0, 2**31 - 1))
    output: str = key("runs", "folder of all runs")
    resume: str | None = key(None, "run folder to go on with; its own config is used")
    compare: list[str] = key([], "models trained beside the main one on the same splits", choices=list(MODELS))
    report: bool = key(True, "draw figures and write report.html at the end; false leaves that to evaluate.py RUN")
    paper_compat: bool = key(
        False, "X-MethaneWet as published, with its faults: allow the models paper_*, and take its losses of transfer"
    )
    data: DataConfig = key(DataConfig, "data")
    model: Any = key(MISSING, "the model")
    label: str | None = key(None, "what tables call the model, to tell variants of one apart; null: its own name")
    head: HeadConfig = key(HeadConfig, "what networks say of each day")
    calibration: CalibrationConfig = key(CalibrationConfig, "prediction intervals")
    knowledge: KnowledgeConfig = key(KnowledgeConfig, "what is known beforehand, as losses of networks")
    transfer: TransferConfig = key(TransferConfig, "from simulation to observations")
    trainer: TrainerConfig = key(TrainerConfig, "what it runs on")
    logger: LoggerConfig = key(LoggerConfig, "logging")
