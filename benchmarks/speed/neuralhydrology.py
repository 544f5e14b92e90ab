"""Training and evaluation against neuralhydrology (Kratzert et al. 2022, doi:10.21105/joss.04050), on the same towers.

It runs in a process of a Python that has it, and both sides take their turns: while one works the other waits. Both
train an LSTM of width 64 on windows of 365 days of the same drivers, 256 at a time, with AdamW, the same cycle of the
learning rate and the same clipping, towards the same measured days. Ours goes through ``workflow.stages.fit``, theirs
through its own epoch and tester.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

import lightning
import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # its stubs are a package of their own
import torch
from lightning.pytorch.callbacks import Callback
from raciflux.config.compose import compose
from raciflux.config.schema import Config
from raciflux.config.transfer import StageConfig
from raciflux.datamodules import PAIRS
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.splits import Split
from raciflux.errors import UserError
from raciflux.modules.flux_module import FluxModule
from raciflux.threads import WAITING
from raciflux.workflow.predictions import predict_days
from raciflux.workflow.prepare import fold_split, prepare
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import StageFolder, build_module, fit, quiet
from torch import Tensor

from . import reading
from .settings import Settings
from .timing import Bar, Row, Spread, paired, torch_threads

PROCESS = Path(__file__).with_name("neuralhydrology_peer.py")
INSTALL = "python -m venv nh && nh/bin/pip install -r benchmarks/speed/neuralhydrology.txt, then python=nh/bin/python"
TRAIN, VALIDATION = 30, 8  # towers
WARMUP, SCORED = 90, 275
YEARS = 3  # that a tower has to be known for
PARTS, STEPS = 8, 10  # a training is so many turns of so many steps
TRAININGS = 3  # to the same loss, and evaluations, at most
WINDOWS, LOSS = Bar(1.2, at_least=True), Bar(1.5, at_least=True)
DAYS, EVALUATION = Bar(100.0, at_least=True), Bar(30.0, at_least=True)


class Peer:
    """The other process."""

    def __init__(self, python: str, folder: Path, settings: Mapping[str, Any], threads: int) -> None:
        folder.mkdir()
        (folder / "settings.json").write_text(json.dumps(settings))
        self.said = (folder / "said.txt").open("w+")
        try:
            self.process = subprocess.Popen(
                [python, "-P", str(PROCESS), str(folder), str(threads)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True,
                env={name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", *WAITING)},
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"python={python}: cannot be started ({error.strerror}); {INSTALL}") from error
        self.facts = self._answer()

    def ask(self, do: str, **order: Any) -> dict[str, float]:  # noqa: ANN401  JSON
        """Give an order and wait for its answer."""
        assert self.process.stdin is not None
        print(json.dumps({"do": do, **order}), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.said.seek(0)
            raise UserError(f"speed=neuralhydrology: {(self.said.read().strip() or 'it ended').splitlines()[-1]}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.said.close()


@dataclass
class Turns:
    """What both sides did in a training, turn by turn."""

    ours: list[float] = field(default_factory=list)  # seconds
    theirs: list[float] = field(default_factory=list)
    our_processor: list[float] = field(default_factory=list)  # seconds of the processor, which other programs share
    their_processor: list[float] = field(default_factory=list)
    days: list[int] = field(default_factory=list)  # known days that our windows were trained on
    our_loss: list[float] = field(default_factory=list)  # squared units, on the same validation days
    their_loss: list[float] = field(default_factory=list)

    def to_the_same_loss(self) -> tuple[float, float]:
        """Seconds that each side trained until it first was as good as the worse side ever was."""
        reached = max(min(self.our_loss), min(self.their_loss))
        sides = ((self.ours, self.our_loss), (self.theirs, self.their_loss))
        ours, theirs = (
            next(seconds for seconds, loss in zip(accumulate(spent), losses, strict=True) if loss <= reached)
            for spent, losses in sides
        )
        return ours, theirs


class Alternate(Callback):
    """After each turn of ours lets the other side take as many steps; then both are judged, off the clock."""

    def __init__(self, peer: Peer, judge: "Judge | None") -> None:
        self.peer, self.judge, self.turns = peer, judge, Turns()
        self.steps, self.days, self.started, self.busy = 0, 0, 0.0, 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clocks."""
        self.started, self.busy = time.perf_counter(), time.process_time()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """At the end of a turn, stop the clock and let the other side follow."""
        self.steps += 1
        if self.steps % STEPS:
            self.days += int(batch["target_mask"].sum())
            return
        turns = self.turns
        turns.ours.append(time.perf_counter() - self.started)
        turns.our_processor.append(time.process_time() - self.busy)
        turns.days.append(self.days + int(batch["target_mask"].sum()))
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        spent = self.peer.ask("train", rate=rate)
        turns.theirs.append(spent["seconds"])
        turns.their_processor.append(spent["processor"])
        if self.judge is not None:
            assert isinstance(pl_module, FluxModule)
            turns.our_loss.append(self.judge.loss(pl_module))
            turns.their_loss.append(self.peer.ask("loss", windows=str(self.judge.file))["loss"])
        self.days, self.started, self.busy = 0, time.perf_counter(), time.process_time()


class Judge:
    """The validation windows that both sides are judged by: those whose drivers are all known."""

    def __init__(self, data: FluxDataModule, file: Path) -> None:
        index = torch.cat(list(data.val_dataloader()))
        raw = np.stack([data.cube[name].transpose("site", "time").to_numpy() for name in data.roles.fast], axis=-1)
        windows = [(site, first) for site, first in index.tolist() if first >= 0]
        windows = [(site, first) for site, first in windows if first + data.window.days <= raw.shape[1]]
        windows = [w for w in windows if np.isfinite(raw[w[0], w[1] : w[1] + data.window.days]).all()]
        self.batch = data.arrays.gather(torch.tensor(windows), "validation")
        self.known = self.batch["target_mask"][..., 0].numpy()
        (scale,) = data.scaler.targets
        self.flux = self.batch["target"][..., 0].numpy() * scale.std + scale.mean
        drivers = np.stack([raw[site, first : first + data.window.days] for site, first in windows])
        np.savez(file, drivers=drivers, flux=self.flux, known=self.known)
        self.file = file

    def loss(self, module: FluxModule) -> float:
        """Return the mean squared error of a network, in units, over the known days."""
        module.eval()
        with torch.no_grad():
            flux = module.flux(module.network(self.batch))[..., 0].numpy()
        module.train()
        return float(np.mean((flux - self.flux)[self.known] ** 2))


def missing(settings: Settings) -> str | None:
    """Return why nothing can be compared, or None if it can."""
    if settings.python is None:
        return INSTALL
    return reading.missing(settings)


def measure(settings: Settings, threads: int) -> list[Row]:
    """Measure trainings in which theirs predicts as many days of a window as ours."""
    quiet()
    config, data = towers(settings)
    with torch_threads(threads), tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_sites(data, folder)
        judge = Judge(data, folder / "validation.npz")
        sequences = [
            train(settings, config, data, folder / f"sequences{seed}", SCORED, threads, judge, seed)[0]
            for seed in range(settings.seed, settings.seed + min(settings.rounds, TRAININGS))
        ]
    ours, theirs, our_busy, their_busy = (
        [STEPS * settings.batch / seconds for turns in sequences for seconds in getattr(turns, name)[1:]]
        for name in ("ours", "theirs", "our_processor", "their_processor")
    )
    reached = [turns.to_the_same_loss() for turns in sequences]
    our_time, their_time = ([both[side] for both in reached] for side in (0, 1))
    what = f"training, predict_last_n={SCORED}"
    return [
        _row(what, threads, ours, theirs, "windows/s", paired(ours, theirs), WINDOWS),
        _row(f"{what}, a second of the processor", threads, our_busy, their_busy, "windows/s",
             paired(our_busy, their_busy), None),
        _row("training to the same validation loss", threads, our_time, their_time, "s",
             paired(their_time, our_time), LOSS),
    ]  # fmt: skip


def measure_default(settings: Settings, threads: int) -> list[Row]:
    """Measure training and evaluation with theirs as it comes: of each window it predicts the last day."""
    quiet()
    config, data = towers(settings)
    with torch_threads(threads), tempfile.TemporaryDirectory() as made:
        write_sites(data, Path(made))
        turns, evaluations = train(settings, config, data, Path(made) / "last_day", 1, threads, None, settings.seed)
    ours = [days / seconds for days, seconds in zip(turns.days[1:], turns.ours[1:], strict=True)]
    theirs = [STEPS * settings.batch / seconds for seconds in turns.theirs[1:]]
    predicting, testing = zip(*evaluations, strict=True)
    return [
        _row("training", threads, ours, theirs, "days/s", paired(ours, theirs), DAYS),
        _row("evaluation of all sites", threads, predicting, testing, "s", paired(testing, predicting), EVALUATION),
    ]


def towers(settings: Settings) -> tuple[Config, FluxDataModule]:
    """Return towers with some years of measured days, those of a fold that train and validate."""
    config = compose(
        ["experiment=fluxnet2015_gpp", "model=lstm", "compare=[]", "trainer.accelerator=cpu", "trainer.progress=false",
         f"data.root={settings.data.root}"]
    )  # fmt: skip
    # 365 days are no multiple of the slow blocks, which a run would refuse and an LSTM on drivers does not read
    config.data.window.warmup_days, config.data.window.scored_days = WARMUP, SCORED
    prepared = prepare(config)
    split = fold_split(config, prepared, 0)
    days = np.isfinite(prepared.towers["GPP"].transpose("site", "time").to_numpy()).sum(1)
    long = set(prepared.towers["site_id"].to_numpy()[days >= 365 * YEARS].tolist())
    train = tuple(name for name in split.train if name in long)[:TRAIN]
    validation = tuple(name for name in split.validation if name in long)[:VALIDATION]
    chosen = np.isin(prepared.towers["site_id"].to_numpy(), train + validation)
    kind = PAIRS[config.data.pair]
    # what is predicted are the sites it was trained on: a speed, not a score
    data = kind(
        prepared.towers.isel(site=chosen), prepared.cluster[chosen], prepared.roles, Split(0, train, validation, train),
        config.data, settings.batch, settings.seed,
    )  # fmt: skip
    return config, data


def write_sites(data: FluxDataModule, folder: Path) -> None:
    """Write what the package's GenericDataset reads: a file a site, and who trains and who is evaluated."""
    series = folder / "time_series"
    series.mkdir()
    site_id = data.cube["site_id"].to_numpy()
    names = list(data.roles.fast)
    (target,) = data.roles.targets
    counts = data.trainable[..., 0] | data.stopping[..., 0]
    for place, name in enumerate(site_id):
        site = data.cube.isel(site=place)
        table = pd.DataFrame({each: site[each].to_numpy() for each in names}, index=data.cube["time"].to_numpy())
        table[target] = np.where(counts[place], site[target].to_numpy(), np.nan)
        known = np.flatnonzero(data.predictable[place])
        table = table.iloc[known[0] : known[-1] + 1]
        table.rename_axis("date").to_xarray().to_netcdf(series / f"{name}.nc")
    (folder / "sites.txt").write_text("\n".join(data.split.train) + "\n")


def train(
    settings: Settings, config: Config, data: FluxDataModule, folder: Path, last: int, threads: int,
    judge: Judge | None, seed: int,
) -> tuple[Turns, list[tuple[float, float]]]:  # fmt: skip
    """Train both sides in turn; of the package's default also evaluate both, in turn."""
    assert settings.python is not None
    stage = StageConfig(steps=PARTS * STEPS, batch_size=settings.batch, check_every=PARTS * STEPS)
    config.seed = seed
    module = build_module(config, stage, data, bank=None)
    progress = RunProgress(stage.steps, visible=False, speaks=False)
    evaluations = []
    with Peer(settings.python, folder, its_settings(data, folder, stage, last, seed), threads) as peer:
        alternate = Alternate(peer, judge)
        fit(config, stage, StageFolder(folder, "speed"), data, module, [alternate], [], progress)
        if judge is None:
            for _ in range(min(settings.rounds, TRAININGS)):
                started = time.perf_counter()
                predict_days(config, module, data)
                evaluations.append((time.perf_counter() - started, peer.ask("evaluate")["seconds"]))
    return alternate.turns, evaluations


def its_settings(data: FluxDataModule, folder: Path, stage: StageConfig, last: int, seed: int) -> dict[str, Any]:
    """Return the package's configuration."""
    first, end = (pd.Timestamp(data.cube["time"].to_numpy()[i]).strftime("%d/%m/%Y") for i in (0, -1))
    sites = str(folder.parent / "sites.txt")
    periods = ("train", "validation", "test")
    return {
        "experiment_name": "speed", "run_dir": str(folder / "runs"), "data_dir": str(folder.parent),
        **{f"{period}_basin_file": sites for period in periods},
        **{f"{period}_start_date": first for period in periods}, **{f"{period}_end_date": end for period in periods},
        "device": "cpu", "seed": seed, "dataset": "generic", "verbose": 0, "metrics": [],
        "dynamic_inputs": list(data.roles.fast), "target_variables": list(data.roles.targets),
        "model": "cudalstm", "head": "regression", "output_activation": "linear", "hidden_size": 64,
        "output_dropout": 0.4, "loss": "MSE", "optimizer": "AdamW", "learning_rate": stage.learning_rate,
        "clip_gradient_norm": 1, "batch_size": stage.batch_size, "epochs": 1, "max_updates_per_epoch": STEPS,
        "seq_length": data.window.days, "predict_last_n": last, "num_workers": 0,
        "validate_every": None, "validate_n_random_basins": len(data.split.train), "cache_validation_data": True,
        "log_interval": 1000, "log_tensorboard": False, "log_n_figures": 0, "save_weights_every": 1000,
    }  # fmt: skip


def _row(
    what: str, threads: int, ours: Sequence[float], theirs: Sequence[float], unit: str, ratio: Spread, bar: Bar | None
) -> Row:
    return Row(what, threads, Spread.of(ours).median, Spread.of(theirs).median, unit, ratio, bar)
