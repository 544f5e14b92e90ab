"""Weights & Biases while a model trains: one run a training, its curves by stage and epoch."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..datamodules.windows import RandomTiling
from .folder import run_of
from .tracking_run import Told, open_run, public

if TYPE_CHECKING:
    import wandb

ID_FILE = "wandb_id.txt"
BEST = {"mean_rmse": "min", "median_rmse": "min", "mean_r2": "max", "median_r2": "max"}  # of ``val/<target>/...``


class StageCurves(Logger):
    """Lightning's way to one stage of a W&B run: ``towers/val/score`` against ``towers/step`` and ``towers/epoch``.

    Each stage counts its own steps, so that pretraining and training on towers are two curves and not one that jumps
    back.

    Parameters
    ----------
    steps_an_epoch : steps in which every training day counts once; Lightning's own epoch never ends.
    """

    def __init__(self, run: "wandb.Run", stage: str, targets: Sequence[str], steps_an_epoch: int) -> None:
        super().__init__()
        self.run, self.stage, self.steps_an_epoch = run, stage, steps_an_epoch
        step = f"{stage}/step"
        for axis in (step, f"{stage}/epoch"):
            run.define_metric(axis, hidden=True)
        run.define_metric(f"{stage}/train/*", step_metric=step)
        run.define_metric(f"{stage}/val/*", step_metric=step)
        best = {"val/score": "min"} | {f"val/{name}/{what}": way for name in targets for what, way in BEST.items()}
        for name, way in best.items():
            run.define_metric(f"{stage}/{name}", step_metric=step, summary=way)

    @property
    def name(self) -> str:
        """Name of the stage."""
        return self.stage

    @property
    def version(self) -> str:
        """Identity of the W&B run."""
        return self.run.id

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Send what Lightning has at an optimiser step; where W&B's own process was ended, training goes on."""
        axes = {} if step is None else {"step": step, "epoch": step / self.steps_an_epoch}
        values = {name: value for name, value in metrics.items() if name != "epoch"} | axes
        with contextlib.suppress(ConnectionError):
            self.run.log({f"{self.stage}/{name}": value for name, value in values.items()})

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Lightning's signature
        """Say nothing: the run was given the whole configuration when it was opened."""


@dataclass(frozen=True)
class TrackedTraining:
    """What W&B is told of one training; ``run`` is None where it is told nothing."""

    run: "wandb.Run | None"

    def stage(self, name: str, data: FluxDataModule) -> list[Logger]:
        """Return the loggers of a stage that trains on ``data``."""
        if self.run is None:
            return []
        return [StageCurves(self.run, name, data.roles.targets, steps_an_epoch(data))]

    def score(self, score: float) -> None:
        """Say the validation score by which trainings are sorted, of networks and estimators alike."""
        if self.run is not None:
            self.run.summary["validation_score"] = score

    def domain_gap(self, gaps: Mapping[str, float]) -> None:
        """Say how far apart simulation and towers lie, ``before`` and ``after`` the training on the towers."""
        if self.run is not None:
            self.run.summary.update({f"domain_gap/{when}": gap for when, gap in gaps.items()})


@contextlib.contextmanager
def tracked_training(config: Config, folder: Path, fold: int) -> Iterator[TrackedTraining]:
    """Open the W&B run of one training, and close it however the training ends.

    Parameters
    ----------
    folder : where the training keeps its weights; the id of its W&B run stays there, for a resumed training to go on.
    """
    if config.logger.wandb == "disabled" or rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # set by Lightning
        yield TrackedTraining(None)
        return
    model, run = config.model.name, run_of(folder)
    told = Told(
        job="train",
        name=f"{model}-fold{fold}-s{config.seed}",
        tags=(model, config.data.pair, f"fold{fold}", f"seed{config.seed}"),
        config=public(asdict(config)) | {"run": run.name, "fold": fold},
    )
    with open_run(config, told, run, folder / ID_FILE) as opened:
        yield TrackedTraining(opened)


def steps_an_epoch(data: FluxDataModule) -> int:
    """Return the steps of one pass over the training days: those of the first, later ones differ by their offsets."""
    tiling = RandomTiling(data.training_days, data.window, data.batch_size, data.seed)
    return max(1, math.ceil(len(tiling.epoch(0)) / data.batch_size))
