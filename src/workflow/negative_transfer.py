"""Does the simulation help here at all? The same model from scratch, on the same validation sites.

Transfer can hurt (negative transfer; Wang et al. 2019, arXiv 1811.09751): where a process model is wrong in what the
towers could have taught. Validation tells, before any test is opened.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..atomic import write_text
from ..config.schema import Config
from ..config.trainings import has_emulator, reads_series
from ..config.transfer import TransferConfig
from ..modules import TRAINABLE
from .progress import RunProgress

FOLDER, RECORD = "scratch", "against_scratch.json"


def is_held(config: Config) -> bool:
    """Whether a model that takes anything from the simulation is to be held against one that does not."""
    is_told = has_emulator(config) or reads_series(config)
    transfers = config.transfer.name != "scratch" and (config.model.name in TRAINABLE or is_told)
    return config.transfer.against_scratch and transfers


def from_scratch(config: Config) -> Config:
    """Return the configuration of the same model without the simulation; nothing of it is sent to W&B."""
    plain = TransferConfig(name="scratch", finetune=config.transfer.finetune)
    return replace(config, transfer=plain, logger=replace(config.logger, wandb="disabled"))


def hold_against_scratch(
    config: Config, score: float, folder: Path, progress: RunProgress, train: Callable[[Config, Path], float]
) -> None:
    """Train from scratch into the folder of a fold, write both scores, and say which is better.

    Parameters
    ----------
    score : validation RMSE over spread of the technique.
    train : trains a configuration into a folder and returns its score.
    """
    place, record = folder / FOLDER, folder / RECORD
    if not record.exists():
        place.mkdir(exist_ok=True)
        scratch = train(from_scratch(config), place)
        said = {"technique": config.transfer.name, "score": score, "scratch": scratch, "negative": score > scratch}
        write_text(json.dumps(said, indent=1) + "\n", record)
    said = json.loads(record.read_text())
    line = f"{config.model.name}: {said['technique']} {said['score']:.3f} on validation, scratch {said['scratch']:.3f}"
    worse = "; negative transfer: the simulation hurts here, try another technique or transfer=scratch"
    progress.say(f"  {line}{worse if said['negative'] else ''}")
