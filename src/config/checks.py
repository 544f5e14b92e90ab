"""What fields say together: contradictions that are refused before anything starts."""

import re

from ..errors import UserError
from .job_step import job_step
from .knowledge import check_pair
from .models import NETWORKS
from .paper_models import PAPER_HEADS, PAPER_MODELS
from .raci import LEVEL_OF_ROLE, RaciConfig
from .schema import Config
from .sources import CubeSource, EmbeddedSource, LightUseSource, TableSource
from .split_names import find_split_file
from .transfer_checks import check_transfer, stages

FOLDED = ("spatial", "stratified_igbp", "stratified_koppen")  # kinds of split with data.split.folds folds
SINGLE = ("temperature_tail", "temporal")  # kinds of split with one fold
EMBEDDED_PAIRS = ("wetland_ch4", "terrestrial_gpp", "cropland_gpp", "cropland_co2", "carbon_balance")
LIGHT_USE_PAIRS = ("cropland_gpp", "terrestrial_gpp")  # those whose one target is GPP
WITHOUT_MIXTURE = ("moment_lstm",)  # the floor under a mixture's scales does not shrink with the spread of a place
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check(config: Config) -> None:
    """Refuse a configuration that contradicts itself.

    Raises
    ------
    UserError
        The first contradiction, with the keys that make it.
    """
    _check_names(config)
    _check_sources(config)
    _check_split(config)
    _check_models(config)
    _check_uncertainty(config)
    _check_knowledge(config)
    check_transfer(config)
    _check_trainer(config)


def check_files(config: Config) -> None:
    """Refuse a split file that is not there; apart from `check`, since a run may be looked at elsewhere.

    Raises
    ------
    UserError
        None is shipped under that name, or no file is at that path.
    """
    if config.data.split.file is not None:
        find_split_file(config.data.split.file)


def check_machine(config: Config) -> None:
    """Refuse what this machine cannot give; apart from `check`, since a run may be looked at elsewhere.

    Raises
    ------
    UserError
        More GPUs are asked for than torch sees, or several nodes or tasks otherwise than by srun.
    """
    trainer = config.trainer
    job_step(trainer)
    if trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and trainer.devices == 1):
        return
    import torch  # two seconds that only this question needs

    gpus = torch.cuda.device_count()
    if gpus == 0 and trainer.accelerator == "gpu":
        raise UserError(
            f"trainer.accelerator=gpu, but torch {torch.__version__} sees none; "
            "take trainer.accelerator=cpu or install a CUDA build of torch"
        )
    if 0 < gpus < trainer.devices:
        raise UserError(
            f"trainer.devices={trainer.devices}, but torch sees {gpus} GPU{'s' if gpus > 1 else ''}; "
            f"take trainer.devices={gpus}, or trainer.accelerator=cpu"
        )


def check_name(name: str, key: str) -> None:
    """Refuse a name that could not be that of a file in its folder on every system.

    Raises
    ------
    UserError
        The name is empty, too long, or holds anything but letters, digits, ``.``, ``_`` and ``-``.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{key}: the name {name!r} must start with a letter or digit and hold only letters, digits, '.', '_' "
            "and '-', at most 100"
        )


def _check_names(config: Config) -> None:
    check_name(config.experiment, "experiment")
    for key, name in (("label", config.label), ("logger.group", config.logger.group)):
        if name is not None:
            check_name(name, key)
    for key, names in (
        ("data.sites", config.data.sites),
        ("data.odd_sites", config.data.odd_sites),
        ("logger.tags", config.logger.tags),
    ):
        for name in names:
            check_name(name, key)
    for key, text in (("output", config.output), ("logger.project", config.logger.project)):
        if not text.strip():
            raise UserError(f"{key} is empty; give one or leave the key out")


def _check_sources(config: Config) -> None:
    data = config.data
    for key, source in (("data.source", data.source), ("data.simulation", data.simulation)):
        if isinstance(source, EmbeddedSource) and data.pair not in EMBEDDED_PAIRS:
            raise UserError(f"{key}.kind=embedded has no {data.pair}; it has {', '.join(EMBEDDED_PAIRS)}")
        if isinstance(source, TableSource | CubeSource) and not data.root.strip():
            raise UserError("data.root is empty; set RACIFLUX_DATA or give data.root=FOLDER")
    if isinstance(data.simulation, EmbeddedSource) and data.simulation.face != "simulation":
        raise UserError("data.simulation.face must be simulation: pretraining on the towers would show the test sites")
    if isinstance(data.simulation, LightUseSource) and data.pair not in LIGHT_USE_PAIRS:
        raise UserError(
            f"data.simulation.kind=light_use_efficiency simulates GPP alone, which is not what data.pair={data.pair} "
            f"predicts; take data.pair={' or '.join(LIGHT_USE_PAIRS)}, or data.simulation=null with transfer=scratch"
        )


def _check_split(config: Config) -> None:
    split, window = config.data.split, config.data.window
    if split.fold is not None and split.file is None:
        if split.kind in FOLDED and split.fold >= split.folds:
            raise UserError(
                f"data.split.fold={split.fold} but data.split.folds={split.folds}; "
                f"folds count from 0 to {split.folds - 1}, null runs them all"
            )
        if split.kind in SINGLE and split.fold > 0:
            raise UserError(
                f"data.split.fold={split.fold} but data.split.kind={split.kind} has one fold; take 0 or null"
            )
    days = window.warmup_days + window.scored_days
    if days % window.block_days:
        raise UserError(
            f"data.window: warmup_days + scored_days = {days} is no multiple of block_days = {window.block_days}; "
            f"{days + window.block_days - days % window.block_days} would be"
        )


def _check_models(config: Config) -> None:
    main = config.model.name
    if main in PAPER_MODELS and not config.paper_compat:
        raise UserError(
            f"model={main} repeats faults of published code; add paper_compat=true to reproduce its numbers, "
            f"or take model={main.removeprefix('paper_')}"
        )
    if config.paper_compat and main not in PAPER_MODELS:
        raise UserError(
            f"paper_compat=true goes with {', '.join(PAPER_MODELS)}, not with model={main}; take paper_compat=false"
        )
    if main in config.compare:
        rest = ", ".join(name for name in config.compare if name != main)
        raise UserError(f"compare names {main}, which is the main model already; take compare=[{rest}]")
    heads = PAPER_HEADS if main == "paper_transformer" else getattr(config.model, "heads", 1)
    if heads > 1 and config.model.hidden % heads:
        raise UserError(
            f"model.hidden={config.model.hidden} cannot be shared evenly by {heads} heads; "
            f"{config.model.hidden + heads - config.model.hidden % heads} could"
        )
    if isinstance(config.model, RaciConfig):
        _check_raci(config.model)


def _check_raci(model: RaciConfig) -> None:
    retrieval, own_days = model.retrieval, model.own_days
    for key, chosen in (("roles", retrieval.roles), ("kinds", retrieval.kinds)):
        if retrieval.enabled and not chosen:
            raise UserError(f"model.retrieval.{key} is empty; take model.retrieval.enabled=false to switch it off")
    fluxes = [value for value in retrieval.values if value != "inputs"]
    heard = [LEVEL_OF_ROLE[role] for role in retrieval.roles]
    if retrieval.enabled and fluxes and not set(fluxes) & set(heard):
        raise UserError(
            f"model.retrieval.values asks for {' and '.join(fluxes)}, which model.retrieval.roles="
            f"[{','.join(retrieval.roles)}] does not read; add {' or '.join(heard)}, or take inputs alone"
        )
    if retrieval.enabled and retrieval.keys == "learned" and "functional" not in retrieval.kinds:
        raise UserError(
            "model.retrieval.keys=learned finds functional neighbours, and model.retrieval.kinds=[geographic] looks "
            "none up; add functional, or take model.retrieval.keys=descriptors"
        )
    if own_days.enabled and not own_days.visibility:
        raise UserError("model.own_days.visibility is empty; take model.own_days.enabled=false to switch it off")
    if own_days.enabled and own_days.trees > 0 and own_days.mixed_effects == 0:
        raise UserError(
            f"model.own_days.trees={own_days.trees:g} reads own days by the features of the mixed effects, which "
            "model.own_days.mixed_effects=0 switches off; add model.own_days.trees=0"
        )


def _check_uncertainty(config: Config) -> None:
    head, calibration, split = config.head, config.calibration, config.data.split
    if head.kind == "quantile" and head.quantiles % 2 == 0:
        raise UserError(
            f"head.quantiles={head.quantiles} is even, so that no level would be the median; "
            f"take {head.quantiles - 1} or {head.quantiles + 1}"
        )
    if head.kind != "point" and config.data.pair == "carbon_balance":
        raise UserError(
            f"head.kind={head.kind}, but data.pair=carbon_balance keeps NEE = RECO - GPP, which distributions of the "
            "three fluxes cannot; take head.kind=point, or data.pair=terrestrial_carbon"
        )
    models = (config.model.name, *config.compare)
    if head.kind != "point" and not any(name in NETWORKS | PAPER_MODELS for name in models):
        raise UserError(
            f"head.kind={head.kind}, but {' and '.join(models)} can only say one value a day; take head.kind=point"
        )
    for name in models:
        if head.kind == "mixture" and name in WITHOUT_MIXTURE:
            raise UserError(f"head.kind=mixture is not for {name}; take head.kind=quantile or leave {name} out")
    if head.kind == "mixture" and isinstance(config.model, RaciConfig) and config.model.moments:
        raise UserError("head.kind=mixture is not for model.moments=true; take head.kind=quantile or moments=false")
    if calibration.kind == "cross_conformal" and split.kind == "temporal" and split.file is None:
        raise UserError(
            "calibration.kind=cross_conformal needs a split over sites, and data.split.kind=temporal is one in time; "
            "take calibration.kind=none"
        )


def _check_knowledge(config: Config) -> None:
    models = (config.model.name, *config.compare)
    for name in config.knowledge.weights():
        if not any(model in NETWORKS | PAPER_MODELS for model in models):
            raise UserError(
                f"knowledge.{name} is a loss of networks, and none of {', '.join(models)} is one; "
                f"take knowledge.{name}=0, or a network, such as model=lstm"
            )
    check_pair(config.knowledge, config.data.pair)


def _check_trainer(config: Config) -> None:
    trainer = config.trainer
    ranks = trainer.devices * trainer.num_nodes
    paper = [name for name in (config.model.name, *config.compare) if name in PAPER_MODELS]
    if paper and ranks > 1:
        raise UserError(
            f"trainer.devices={trainer.devices} with trainer.num_nodes={trainer.num_nodes}, but {paper[0]} may discard "
            "a whole batch for one missing day, which each device would decide for itself; take one device"
        )
    if trainer.strategy == "ddp" and ranks == 1:
        raise UserError(
            "trainer.strategy=ddp with one device; take trainer.devices=2 or more, or trainer.strategy=auto"
        )
    if trainer.accelerator == "cpu" and trainer.precision == "16-mixed":
        raise UserError("trainer.precision=16-mixed needs a GPU; take bf16-mixed or 32-true on trainer.accelerator=cpu")
    for name, stage in stages(config).items():
        if stage.batch_size % ranks:
            raise UserError(
                f"{name}.batch_size={stage.batch_size} cannot be shared evenly by {ranks} devices; "
                f"{stage.batch_size + ranks - stage.batch_size % ranks} could"
            )
