"""What a configuration trains: its models, the emulators that they are told by, and the pretrainings both need."""

import hashlib
import json
from dataclasses import asdict, replace

from .knowledge import KnowledgeConfig
from .models import ESTIMATORS, MODELS, NETWORKS
from .raci import RaciConfig
from .schema import CalibrationConfig, Config, HeadConfig, LoggerConfig
from .transfer import EMULATED, TransferConfig


def models_of(config: Config) -> dict[str, Config]:
    """Return one configuration for each model of a command, by its folder inside the run ("" is the run itself).

    Each stands alone, as if it had been asked for by itself: a model without gradients has no head but a point, and no
    losses of knowledge.
    """
    beside = {
        f"baselines/{name}": replace(
            config,
            model=MODELS[name](),
            label=None,
            compare=[],
            paper_compat=False,
            head=HeadConfig() if name in ESTIMATORS else config.head,
            knowledge=KnowledgeConfig() if name in ESTIMATORS else config.knowledge,
        )
        for name in config.compare
    }
    return {"": config} | beside


def reads_series(config: Config) -> bool:
    """Whether the model, of whatever kind, is told the simulation's own flux where it ran."""
    return config.transfer.name in EMULATED and config.transfer.simulated_flux == "series"


def has_emulator(config: Config) -> bool:
    """Whether a network that has learned the simulation tells the model what its flux would be.

    A model without gradients that stands beside another in ``compare`` has no emulator unless one is named: it learns
    from the observations alone, as it does beside a network that is fine-tuned.
    """
    transfer = config.transfer
    if transfer.name not in EMULATED or reads_series(config):
        return False
    return transfer.emulator is not None or config.model.name not in ESTIMATORS


def emulator_config(config: Config) -> Config:
    """Return the configuration of the emulator: the run's own, its model and technique changed.

    A RACI looks nobody up and shows no own days here: a simulation has neither towers beside it nor days of its own.
    """
    model = config.model if config.transfer.emulator is None else NETWORKS[config.transfer.emulator]()
    if isinstance(model, RaciConfig):
        model = replace(
            model,
            retrieval=replace(model.retrieval, enabled=False),
            own_days=replace(model.own_days, enabled=False),
            first_guess=replace(model.first_guess, enabled=False),
        )
    return replace(config, model=model, transfer=replace(config.transfer, name="finetune"))


def pretrainings(config: Config) -> tuple[str, ...]:
    """Return keys of the pretrainings that a command shares with others: whose key is equal, they are the same.

    A key is a hash of all of the configuration that could decide one. Two keys may differ where the arrays of the
    data, which are not looked at here, are alike after all: then one run waits for the other at its lock.
    """
    if not config.transfer.reuse or config.transfer.pretrained is not None:
        return ()
    pretrained = (_pretrained(one) for one in models_of(config).values())
    return tuple(sorted({_key(one) for one in pretrained if one is not None}))


def _pretrained(config: Config) -> Config | None:
    """Return the configuration of what a model has pretrained alone on the simulation, None where that is nothing."""
    if has_emulator(config):
        return emulator_config(config)
    return config if config.transfer.name == "finetune" and config.model.name not in ESTIMATORS else None


def _key(config: Config) -> str:
    transfer, split = config.transfer, config.data.split
    if transfer.leave_out == "all" and transfer.inputs != "towers":  # no tower decides which cells are seen, or how
        split = replace(split, fold=None)
    decides = replace(
        config,
        experiment="",
        seed=config.seed if transfer.pretrain_seed is None else transfer.pretrain_seed,
        compare=[],
        report=True,
        label=None,
        calibration=CalibrationConfig(),
        logger=LoggerConfig(),
        data=replace(config.data, split=split),
        transfer=TransferConfig(
            name="finetune",
            pretrain=transfer.pretrain,
            inputs=transfer.inputs,
            leave_out=transfer.leave_out,
            leave_out_near=transfer.leave_out_near,
        ),
    )
    return hashlib.blake2b(json.dumps(asdict(decides)).encode(), digest_size=4).hexdigest()
