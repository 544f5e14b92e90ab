"""Predicting with a finished run: any cube that has its drivers, targets not needed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..config.compose import compose, from_yaml
from ..config.schema import Config
from ..config.sources import LightUseSource
from ..config.trainings import reads_series
from ..datamodules import PAIRS
from ..datamodules.scaling import Scaler
from ..datamodules.sources import light_use, open_or_read, read
from ..errors import UserError
from ..evaluation.conformal import Calibration
from ..evaluation.predictions_contract import QUANTILES
from ..evaluation.run_folder import COORDINATE_ATTRS
from ..modules import TRAINABLE
from ..modules.baselines import ESTIMATORS
from ..modules.checkpoints import load_into
from ..modules.flux_module import QUANTILES as LEVELS
from ..retrieval.bank import Bank
from ..variables import TARGETS
from .applicability import distance_to_bank
from .calibration import with_interval
from .emulator import FOLDER as EMULATOR
from .first_guess import first_guess_elsewhere
from .known_places import as_in_the_run, known_sites
from .learn import in_units
from .own_fluxes import measured_here, own_past, past_left_out
from .own_prior import hold_prior
from .own_residuals import readings_of_fold
from .places import data_of_places, refuse_missing
from .pooled import Pooled
from .predictions import Predicted, predict_days, scored_folders
from .simulated_series import refuse_without, sites_without, with_series
from .stages import StageFolder, build_module, looks_at_own_days, looks_up
from .transfer import informed_cube


def read_places(run: Path, overrides: Sequence[str]) -> xr.Dataset:
    """Read the cube that ``data=OPTION``, ``data=FILE.yaml`` or ``data=CUBE.zarr`` and ``data.key=value`` name.

    Daily values of a stored cube are left on disk: ``predict_in_blocks`` reads them.

    Raises
    ------
    UserError
        If no data are named, they cannot be read, or they are of another pair.
    """
    pair = run_config(run).data.pair
    for text in overrides:
        if not text.startswith(("data=", "data.")):
            raise UserError(f"{text!r}: only data=... and data.key=value can be said here; the rest is the run's own")
    chosen = [text.removeprefix("data=") for text in overrides if text.startswith("data=")]
    if len(chosen) != 1:
        raise UserError("say which places to predict: data=OPTION, data=FILE.yaml or data=CUBE.zarr")
    named = list(overrides)
    if chosen[0].endswith(".zarr"):
        cube = Path(chosen[0]).absolute()
        named = [text for text in overrides if not text.startswith("data=")]
        named += [f"data.pair={pair}", "data.simulation=null", f"data.root={cube.parent}"]
        named.append(f"data.source={{kind: cube, path: {json.dumps(cube.name)}}}")
    data = compose([*named, "transfer=scratch"]).data
    if data.pair != pair:
        raise UserError(
            f"data={chosen[0]} is of data.pair={data.pair}, and {run} predicts {pair}; take data of that pair, or add "
            f"data.pair={pair} to predict it there all the same"
        )
    return open_or_read(pair, data.source, Path(data.root), data.sites)


def run_config(run: Path) -> Config:
    """Return the configuration of a run whose models can predict.

    Raises
    ------
    UserError
        If the folder is an ensemble, which has no models of its own, or no run.
    """
    members = run / "members.json"
    if members.is_file():
        named = ", ".join(json.loads(members.read_text()))
        raise UserError(f"{run}: this is an ensemble; predict with its members: {named}")
    return from_yaml(run / "config.yaml")


@dataclass(frozen=True)
class FinishedRun:
    """A finished run that is asked about other places.

    Attributes
    ----------
    folds : folders of its folds; of a single one the run itself.
    own_days : whether the measured fluxes of the places are shown, each site's own to that site: few days or many,
        before the day in question or on both sides of a gap.
    """

    folder: Path
    config: Config
    folds: tuple[Path, ...]
    own_days: bool

    @property
    def targets(self) -> tuple[str, ...]:
        """The fluxes that it predicts."""
        return PAIRS[self.config.data.pair].pair.targets

    def inputs(self, cube: xr.Dataset) -> xr.Dataset:
        """Return what of a cube its models read; with own days, the fluxes too."""
        if self.own_days:
            return cube
        scalers = [path for fold in self.folds for path in (fold / "scaler.yaml", fold / EMULATOR / "scaler.yaml")]
        wanted = set(PAIRS[self.config.data.pair].pair.required)
        if isinstance(self.config.data.simulation, LightUseSource) and reads_series(self.config):
            wanted |= light_use.RUNS_ON
        for roles in (Scaler.load(path).roles for path in scalers if path.exists()):
            wanted |= {*roles.fast, *roles.static, *roles.classes}
        return cube[[name for name in cube.data_vars if name in wanted]]

    def with_series(self, cube: xr.Dataset) -> xr.Dataset:
        """Return a cube with the flux of the run's own ``data.simulation`` at its places, where the models read that.

        Raises
        ------
        UserError
            If the simulation cannot be read, or does not cover one of the places, or a required driver is missing.
        """
        if not reads_series(self.config):
            return cube
        data, pair = self.config.data, PAIRS[self.config.data.pair].pair
        refuse_missing(pair.required, cube)
        runs_here = isinstance(data.simulation, LightUseSource)
        ran = light_use.run_on(cube) if runs_here else self._simulation
        told = with_series(cube, ran, pair)
        refuse_without(told, pair, sites_without(told, pair), "train with transfer.simulated_flux=emulator")
        return told

    @cached_property
    def _simulation(self) -> xr.Dataset:
        """What the run's own ``data.simulation`` holds, read once for all blocks of places."""
        data = self.config.data
        return read(data.pair, data.simulation, Path(data.root))

    def asked(self, cube: xr.Dataset) -> dict[str, str]:
        """Say what is asked of the sites of a cube: a run split in time knows those that are its own."""
        places = (cube["site_id"].to_numpy(), cube["lat"].to_numpy(), cube["lon"].to_numpy())
        known = np.logical_or.reduce([known_sites(fold, self.targets, places) for fold in self.folds])
        if not known.any():
            return {"question": "unseen"}
        told = (
            f"{known.sum()} of {len(known)}, as in the run: new years, own past where the model uses it; others unseen"
        ) + "".join(past_left_out(fold, cube, self.targets) for fold in self.folds)
        return {"question": "new_years", "known_sites": told}


def finished_run(folder: Path, own_days: bool = False) -> FinishedRun:
    """Return a run that can be asked.

    Raises
    ------
    UserError
        If it is not finished, or own days are to be shown to a model that does not look at them.
    """
    config = run_config(folder)
    if own_days and not looks_at_own_days(config):
        raise UserError(
            f"own_days=true: model={config.model.name} of {folder} does not look at own days; see docs/own_days.md"
        )
    targets = PAIRS[config.data.pair].pair.targets
    if not all((place / "predictions.zarr").exists() for place in scored_folders(folder, targets).values()):
        raise UserError(f"{folder}: this run is not finished; go on with python scripts/train.py resume={folder}")
    return FinishedRun(folder, config, tuple(sorted(folder.glob("fold*"))) or (folder,), own_days)


def predict_cube(run: FinishedRun, cube: xr.Dataset) -> xr.Dataset:
    """Predict every site and day of a cube, as an unseen site or, by a run split in time, as one of its own.

    A cross-validated run predicts with all its folds' models; ``Pooled`` says how. What is said of a site does not
    depend on the other sites of the cube.

    Parameters
    ----------
    cube : drivers, statics and classes of any places.

    Returns
    -------
    Dataset (site, time) with ``prediction`` in the target's canonical unit; for several folds ``prediction_spread``;
    of a distribution ``prediction_quantile``; of a calibrated run ``lower`` and ``upper``. Of several targets, each as
    ``prediction_<target>`` and so on. Of a model with a bank, how far each site is from it: ``dissimilarity_<role>``
    and ``inside_area`` (site,).

    Raises
    ------
    UserError
        If the cube lacks an input of the run, or own days are to be shown and there are none.
    """
    config, targets = run.config, run.targets
    cube = run.with_series(cube)
    pooled = {target: Pooled() for target in targets}
    for fold in run.folds:
        predicted = _predict_one(config, fold, cube, run.own_days)
        for place, target in enumerate(targets):
            said = predicted.of_target(place)
            if config.calibration.kind != "none":
                said = with_interval(said, _calibration(fold, target))
            pooled[target].add(said)
    variables: dict[str, Any] = {}
    for target in targets:
        variables |= pooled[target].variables(target, "" if len(targets) == 1 else f"_{target}")
    variables |= pooled[targets[0]].distance()
    coordinates: dict[str, Any] = {name: cube[name].assign_attrs(COORDINATE_ATTRS[name]) for name in COORDINATE_ATTRS}
    if any(name.startswith(QUANTILES) for name in variables):
        coordinates["quantile"] = ("quantile", np.array(LEVELS), {"units": "1", "long_name": "level of a quantile"})
    described = {
        "Conventions": "CF-1.11",
        "featureType": "timeSeries",
        "target": ", ".join(targets),
        "model": config.model.name,
        "experiment": config.experiment,
        "pair": config.data.pair,
        "title": f"{', '.join(TARGETS[target].long_name for target in targets)} by {config.model.name}, "
        f"run {run.folder.name}",
        "source": str(cube.attrs.get("title", "")),
        **pooled[targets[0]].interval(),
        **run.asked(cube),
        **({"own_days": "each site's own measured fluxes were shown"} if run.own_days else {}),
    }
    return xr.Dataset(variables, coordinates, described)


def _calibration(fold: Path, target: str) -> Calibration:
    path = fold / "calibration" / f"{target}.json"
    try:
        return Calibration.load(path)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: no readable calibration ({error}); train the run again") from error


def _predict_one(config: Config, folder: Path, cube: xr.Dataset, own_days: bool) -> Predicted:
    scaler = Scaler.load(folder / "scaler.yaml")
    cube = informed_cube(config, folder, cube)
    of_run = own_past(folder, cube, scaler.roles.targets)
    shown = measured_here(config, cube, scaler.roles.targets) if own_days else of_run
    data = data_of_places(config, scaler, cube, shown)
    view = as_in_the_run(folder, data.view())
    if config.model.name not in TRAINABLE:
        model = ESTIMATORS[config.model.name].load(folder / "estimator")
        flux = in_units(model.predict(view, same_cube=False, wanted=data.predictable), view)
        return Predicted(flux + data.base, None).where(data.predictable)
    bank = Bank.load(folder / "bank.npz") if looks_up(config) else None
    guess = first_guess_elsewhere(config, data, view, folder, bank, np.asarray(np.isfinite(of_run).any(-1)))
    module = build_module(config, config.transfer.finetune, data, bank, view, guess)
    load_into(module, StageFolder(folder, "towers").checkpoints / "best.ckpt")
    hold_prior(module, folder)
    predicted = predict_days(config, module, data, readings_of_fold(config, data, folder))
    if bank is None:
        return predicted
    return replace(predicted, distance=distance_to_bank(config, bank, view, same_cube=False))
