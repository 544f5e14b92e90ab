"""The keys of training and transfer: the stages, and how what a simulation teaches reaches the observations."""

# ruff: noqa: RUF009  key() is a dataclasses.field

from dataclasses import dataclass

from omegaconf import MISSING

from .declare import key
from .models import NETWORKS

TECHNIQUES = ("scratch", "finetune", "residual", "adversarial", "reweight", "stacking", "mixed")
EMULATED = ("stacking", "residual")  # the model is told the simulated flux, by an emulator or by its own series
JOINT = ("adversarial", "reweight", "mixed")  # simulation and observations are trained on in the same step
# the observations alone have the last stage, which starts from the weights of the first
FINETUNED = ("finetune", "adversarial", "reweight")


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
        "scratch: observations alone; finetune: training on them starts from the weights of the pretraining; residual: "
        "what is learned is the rest to the simulated flux; adversarial, reweight: both domains at once, then the "
        "observations alone; stacking: the simulated flux is one more input; mixed: both domains at once, told apart",
        choices=list(TECHNIQUES),
    )
    pretrain: StageConfig = key(StageConfig, "stage on the simulation; ignored by scratch and simulated_flux=series")
    finetune: StageConfig = key(StageConfig, "stage on the observations")
    simulated_flux: str = key(
        "emulator",
        "stacking, residual: who says the simulated flux; emulator: a network that learns the simulation, anywhere; "
        "series: the simulation itself, where it ran at the towers or in the cells that hold them",
        choices=["emulator", "series"],
    )
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
    leave_out_near: str | None = key(
        None, "a CSV with columns lat, lon: simulated places near these are left out too, for towers of a later run"
    )
    pretrained: str | None = key(
        None,
        "finetune, residual, stacking: folder of a pretraining that another run made (output/pretrained/ID, or a fold "
        "of it), to be taken instead of making one; null makes one",
    )
    pretrain_seed: int | None = key(
        None, "seed of the pretraining; null takes the run's; a number lets seeds share it", bounds=(0, 2**31 - 1)
    )
    reuse: bool = key(True, "share pretrainings of the same settings and data, kept in the folder pretrained of output")
    against_scratch: bool = key(
        False, "train the model from scratch as well, and say where the technique is worse on validation"
    )
    simulated_weight: float = key(1.0, "mixed: weight of the simulation's loss beside the towers'", bounds=(0.0, 1e3))
    domain_weight: float = key(
        0.3, "adversarial: share of the discriminator's gradient that is reversed into the encoders", bounds=(0.0, 1e3)
    )
    sharpness: float = key(
        5.0,
        "reweight: simulated places count as (1 + distance to the nearest tower's moments)^-sharpness",
        bounds=(0.0, 100.0),
    )
    freeze: list[str] = key(
        [], "parts of the network (slow_encoder, fast_encoder, ...) kept as pretrained while fine-tuning"
    )
    thaw: list[str] = key([], "parts kept as pretrained up to a step, as PART@STEP (gradual unfreezing)")
    rates: list[str] = key([], "learning rates of parts while fine-tuning, as shares of the stage's: PART@SHARE")
    l2_sp: float = key(0.0, "weight of the squared distance to the pretrained weights (L2-SP)", bounds=(0.0, 1e6))
