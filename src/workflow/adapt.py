"""From finished runs to what corrections by own days are made from, and back to a run folder."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..atomic import write_text
from ..config.schema import Config
from ..datamodules.cube import DIMS
from ..errors import UserError, did_you_mean
from ..evaluation.comparison.ensemble import combine
from ..evaluation.predictions_contract import BOUNDS, QUANTILES
from ..evaluation.run_folder import TARGETS_FOLDER, RunFolder, write_json, write_predictions
from ..own_days.answers import SiteAnswer, ZeroShot, mean_of
from ..own_days.correct import Corrected
from ..own_days.question_files import FewShotFile, read_few_shot
from ..own_days.questions import FEWEST_SCORED, days_a_year_later, first_days
from ..own_days.records import FoldPredictions, Record
from .apply import run_config
from .prepare import prepare
from .records import record_of_run


@dataclass(frozen=True)
class Base:
    """The models that are corrected: the mean of one or several runs.

    Attributes
    ----------
    runs : their folders.
    config : of the first run.
    record : what was observed, in units.
    folds : what the mean of the runs says of each fold.
    """

    runs: tuple[Path, ...]
    config: Config
    record: Record
    folds: tuple[FoldPredictions, ...]


def read_base(runs: Sequence[Path], *, out_of_fold: bool = True) -> Base:
    """Read finished runs that hold out-of-fold predictions of their training clusters.

    Parameters
    ----------
    runs : their folders.
    out_of_fold : False reads what is said of tested sites alone, of any run over sites.

    Raises
    ------
    UserError
        If a run has none, its data have changed, or two runs are not of one data set and split.
    """
    configs = [run_config(run) for run in runs]
    for run, config in zip(runs, configs, strict=True):
        if out_of_fold and config.calibration.kind != "cross_conformal":
            raise UserError(
                f"{run}: holds no out-of-fold predictions of its training clusters, which a correction is learned "
                "from; train it with calibration.kind=cross_conformal"
            )
        if (config.data.pair, config.data.source, config.data.split) != (
            configs[0].data.pair,
            configs[0].data.source,
            configs[0].data.split,
        ):
            raise UserError(f"{run}: is of another pair, source or split than {runs[0]}; combine runs of one data set")
    prepared = prepare(configs[0])
    record = record_of_run(configs[0], prepared)
    folds = []
    for fold in prepared.folds:
        places = [run / f"fold{fold}" if len(prepared.folds) > 1 else run for run in runs]
        models = [_fold(place, record, out_of_fold) for place in places]
        for run, model in zip(runs, models, strict=True):
            if (model.tested != models[0].tested).any() or (model.training != models[0].training).any():
                raise UserError(
                    f"{run}: fold {fold} divides the sites in another way than {runs[0]}; one split for all"
                )
        folds.append(mean_of(models))
    return Base(tuple(runs), configs[0], record, tuple(folds))


def _fold(folder: Path, record: Record, out_of_fold: bool) -> FoldPredictions:
    """Read the tests of a fold and of the parts of its calibration."""
    parts = sorted((folder / "calibration").glob("part*")) if out_of_fold else []
    if out_of_fold and not parts:
        raise UserError(f"{folder}: the run is not finished; go on with train.py resume={folder}")
    predicted = np.full(record.flux.shape, np.nan, np.float32)
    tested, training = (np.zeros(len(record.site_id), bool) for _ in range(2))
    tested[_lay(folder, record, predicted)] = True
    for part in parts:
        training[_lay(part, record, predicted)] = True
    return FoldPredictions(predicted, training, tested)


def _lay(folder: Path, record: Record, into: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[int]:
    """Lay the predictions of one tested part where they belong, and return its sites."""
    place_of, places = record.site, []
    for target, name in enumerate(record.targets):
        said = RunFolder(folder, name if len(record.targets) > 1 else None).predictions()
        names = said["site_id"].to_numpy().astype(str).tolist()
        strange = [site for site in names if site not in place_of]
        places = [place_of[site] for site in names if site in place_of]
        observed = said["observed"].transpose(*DIMS).to_numpy()
        if (
            strange
            or not np.array_equal(said["time"].to_numpy(), record.dates)
            or not np.array_equal(observed, record.flux[places, :, target], equal_nan=True)
        ):
            raise UserError(f"{folder}: was made of other data than are read now; check data.root, or train again")
        into[places, :, target] = said["prediction"].transpose(*DIMS).to_numpy()
    return places


def write_adapted(
    runs: Sequence[Path], questions: Path, correction: str, days: int, start: int, output: Path, command: Sequence[str]
) -> Path:
    """Correct what runs say of sites that show ``days`` days from a start date, and write a run folder of its own.

    Only days a year or more after the start are scored, so that ``days=0`` (nothing shown) and any number of days are
    compared on the same ones; sites that the file does not name keep their predictions and are not scored. Intervals
    and quantiles are left out: they belong to the uncorrected prediction.

    Parameters
    ----------
    runs : finished runs with ``calibration.kind=cross_conformal``; of several, their mean is corrected.
    questions : file of start dates, see ``own_days/question_files.py``.
    correction : a key of ``own_days.correct.CORRECTIONS``.
    days : days from the start that are shown.
    start : which start date of each site, from 0; sites with fewer are not asked.
    output : new folder.
    command : what was typed.

    Raises
    ------
    UserError
        If a run or the file cannot be used, names another site, or the folder is taken.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output}: is not empty; give a new folder")
    base = read_base(runs)
    asked = _asked(base, read_few_shot(questions), questions, start)
    answer: SiteAnswer = ZeroShot(base.folds)
    if days:
        answer = Corrected.fit([correction], base.record, base.folds)[correction]
    answers = {
        site: answer(site, first_days(day, days, base.record.dates, base.record.trainable[site]))
        for site, day in asked.items()
    }
    single = len(base.record.targets) == 1
    for target, name in enumerate(base.record.targets):
        members = [RunFolder(run, None if single else name) for run in runs]
        said = members[0].predictions() if len(members) == 1 else combine(members)
        fluxes = {site: of_site[:, target] for site, of_site in answers.items()}
        adapted = _adapted(said, base.record, asked, fluxes)
        adapted.attrs |= {"own_days": days, "own_days_start": start, "own_days_questions": questions.name}
        if days:
            adapted.attrs["model"] = f"{adapted.attrs['model']}+{correction}_{days}d"
        write_predictions(adapted, (output if single else output / TARGETS_FOLDER / name) / "predictions.zarr")
    write_text(members[0].config_text(), output / "config.yaml")
    write_json([str(run.resolve()) for run in runs], output / "members.json")
    write_text(shlex.join(command) + "\n", output / "command.txt")
    return output


def _asked(base: Base, file: FewShotFile, path: Path, start: int) -> dict[int, str]:
    """Start date of each site that is asked, by its place in the cube."""
    place_of, tested = base.record.site, np.any([fold.tested for fold in base.folds], axis=0)
    for site in file.sites:
        if site not in place_of or not tested[place_of[site]]:
            known = [name for name, place in place_of.items() if tested[place]]
            raise UserError(f"{path}: the site {site!r} is not tested in {base.runs[0]}; {did_you_mean(site, known)}")
    asked = {place_of[site]: starts[start] for site, starts in file.sites.items() if start < len(starts)}
    if not asked:
        raise UserError(f"{path}: no site has a start date number {start}; they are counted from 0")
    return asked


def _adapted(
    said: xr.Dataset, record: Record, asked: Mapping[int, str], answers: Mapping[int, NDArray[np.float32]]
) -> xr.Dataset:
    """Put the answers in the place of predictions, and let only days a year after the start count."""
    said = said.transpose(*DIMS, ...)
    prediction = said["prediction"].to_numpy().copy()
    counts = np.zeros(prediction.shape, bool)
    for row, name in enumerate(said["site_id"].to_numpy().astype(str)):
        site = record.site[name]
        if site in asked:
            prediction[row] = answers[site]
            counts[row] = days_a_year_later(asked[site], record.dates, np.ones((len(record.dates), 1), bool))[:, 0]
    left_out = [name for name in (*BOUNDS, QUANTILES, "quantile", "prediction_spread") if name in said.variables]
    adapted = said.drop_vars(left_out)
    adapted["prediction"] = (DIMS, prediction)
    for flag in ("measured", "convention"):
        if flag in adapted:
            adapted[flag] = (DIMS, adapted[flag].to_numpy().astype(bool) & counts)
    kept = {name: value for name, value in said.attrs.items() if not name.startswith("interval_")}
    adapted.attrs = kept | {"question": "few_shot", "min_scored_days": FEWEST_SCORED}
    return adapted
