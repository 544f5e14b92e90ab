"""The keys of training and transfer: the stages, and how what a simulation teaches reaches the observations."""

# ruff: noqa: RUF009  key() is a dataclasses.field

from dataclasses import dataclass

from omegaconf import MISSING

from .declare import key
from .models import NETWORKS

TECHNIQUES = ("scratch", "finetune", "stacking", "residual")
EMULATED = ("stacking", "residual")  # techniques to which a network trained on the simulation says its flux


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

    name: str = key(
        MISSING,
        "scratch: observations alone; finetune: training on them starts from the weights of the pretraining; stacking: "
        "the flux that the simulation would have is one more input; residual: what is learned is the rest to that flux",
        choices=list(TECHNIQUES),
    )
    pretrain: StageConfig = key(StageConfig, "stage on the simulation; ignored by scratch")
    finetune: StageConfig = key(StageConfig, "stage on the observations")
    emulator: str | None = key(
        None,
        "stacking, residual: the network that learns the simulation, at its defaults; null: the model itself",
        choices=list(NETWORKS),
    )
    inputs: str = key(
        "simulation",
        "whose moments scale the inputs: simulation; towers; refitted: each domain has its own",
        choices=["simulation", "towers", "refitted"],
    )
    align: str = key(
        "moments",
        "how the two domains' fluxes meet; moments: each has its own mean and spread; units: a unit is a unit",
        choices=["moments", "units"],
    )
    leave_out: str = key(
        "tested",
        "simulated places left out of pretraining: near tested towers, or near all, so that folds can share it",
        choices=["tested", "all"],
    )
    pretrain_seed: int | None = key(
        None, "seed of the pretraining; null takes the run's; a number lets seeds share it", bounds=(0, 2**31 - 1)
    )
    reuse: bool = key(True, "share pretrainings of the same settings and data, kept in the folder pretrained of output")
    freeze: list[str] = key(
        [], "finetune: parts of the network (slow_encoder, fast_encoder, ...) kept as pretrained while fine-tuning"
    )
    thaw: list[str] = key([], "finetune: parts kept as pretrained up to a step, as PART@STEP (gradual unfreezing)")
    rates: list[str] = key([], "finetune: learning rates of parts as shares of the stage's, as PART@SHARE")
    l2_sp: float = key(
        0.0, "finetune: weight of the squared distance to the pretrained weights (L2-SP)", bounds=(0.0, 1e6)
    )
