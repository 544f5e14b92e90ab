"""Weights & Biases: offline unless a key is there, and never told about the machine."""

import netrc
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlparse

from lightning.pytorch.loggers import Logger, WandbLogger

from ..config.schema import Config


def finish(loggers: Sequence[Logger]) -> None:
    """Close the runs, so that nothing of the next training lands in them."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def has_key() -> bool:
    """Whether a W&B key is at hand: in the environment, or in the user's netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc().authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def wandb_loggers(config: Config, folder: Path, name: str, group: str) -> Sequence[Logger]:
    """Return the W&B logger of one training, or none when it is disabled.

    Parameters
    ----------
    folder : run folder; offline files go to its ``wandb/``.
    name : what W&B calls this training.
    group : trainings of one command stand together.
    """
    mode = config.logger.wandb
    if mode == "disabled":
        return []
    import wandb  # takes seconds, and is only wanted here

    quiet = wandb.Settings(
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
    offline = mode == "offline" or (mode == "auto" and not has_key())
    run = wandb.init(
        name=name,
        dir=folder,
        project=config.logger.project,
        entity=config.logger.entity,
        group=group,
        tags=[config.model.name, config.data.pair, *config.logger.tags],
        mode="offline" if offline else "online",
        settings=quiet,
        reinit="finish_previous",
    )
    logger = WandbLogger(experiment=run)
    logger.log_hyperparams({"experiment": config.experiment, "seed": config.seed, "model": vars(config.model)})
    return [logger]
