"""Stacking and residual learning: what a network that knows the simulation says of the towers reaches every model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.config.models import LightGbmConfig
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import Config, HeadConfig
from raciflux.datamodules.scaling import Scaler
from raciflux.errors import UserError
from raciflux.modules.checkpoints import network_weights
from raciflux.workflow import emulator
from raciflux.workflow.emulator import told
from two_domains import CONFIG, transferred

from worlds import tiny_cube, tiny_split

RACI = RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3))
RACI.first_guess.trees.rounds = 5
MODELS = {
    "lstm": CONFIG,
    "quantiles": replace(CONFIG, head=HeadConfig(kind="quantile", quantiles=3)),
    "raci": replace(CONFIG, model=RACI),
    "trees": replace(CONFIG, model=LightGbmConfig(rounds=5)),
}
TECHNIQUES = ("stacking", "residual")


def emulated_by(model: str) -> dict[str, str | None]:
    return {"emulator": "lstm" if model == "trees" else None}


def config_of(name: str, **transfer: str) -> Config:
    return replace(CONFIG, transfer=replace(CONFIG.transfer, name=name, **transfer))


def truth_of(cube: xr.Dataset) -> np.ndarray:
    """The observed flux (site, day, target), as a perfect simulation would say it."""
    return np.nan_to_num(cube["GPP"].to_numpy(), nan=3.0)[..., None]


def simulated(config: Config, folder: Path, cube: xr.Dataset) -> np.ndarray:
    return told(config, folder, cube)["GPP_simulated"].to_numpy()


@pytest.mark.parametrize("name", TECHNIQUES)
def test_no_observed_flux_is_in_what_the_emulator_says(tmp_path, name):
    towers = tiny_cube()
    absurd = towers.assign(GPP=towers["GPP"] * 40 - 7)
    for folder, cube in (("as_is", towers), ("absurd", absurd)):
        transferred(tmp_path / folder, cube, name=name, align="units")
    config = config_of(name, align="units")
    as_is, other = simulated(config, tmp_path / "as_is", towers), simulated(config, tmp_path / "absurd", absurd)
    np.testing.assert_array_equal(as_is, other)
    late = towers.copy(deep=True)
    for driver in ("TA", "SW", "VPD"):
        late[driver][{"time": slice(50)}] = np.nan  # no driver: the mean of the site's other days stands in
    whole, few = (simulated(config, tmp_path / "as_is", cube) for cube in (late, late.isel(site=slice(3))))
    np.testing.assert_allclose(few, whole[:3], rtol=2e-6, atol=2e-6, err_msg="a site's depends on the others asked")


def test_moments_come_from_training_days_alone(tmp_path):
    towers = tiny_cube()
    trained = tiny_split(towers).members("train", towers["site_id"].to_numpy())
    flux = towers["GPP"].to_numpy().copy()
    flux[~trained] = flux[~trained] * 40 - 7
    for folder, cube in (("as_is", towers), ("absurd", towers.assign(GPP=(("site", "time"), flux)))):
        transferred(tmp_path / folder, cube, name="residual")
    as_is, absurd = ((tmp_path / name / "emulator" / "moments.json").read_text() for name in ("as_is", "absurd"))
    assert as_is == absurd
    assert json.loads(as_is)["GPP"]["observed_mean"] == pytest.approx(np.nanmean(flux[trained]), rel=0.1)


def test_aligned_fluxes_have_the_moments_of_observed_ones(tmp_path):
    towers = tiny_cube()
    learned = transferred(tmp_path / "run", towers, name="stacking")
    flux, days = simulated(config_of("stacking"), tmp_path / "run", towers), learned.data.trainable[..., 0]
    assert flux[days].mean() == pytest.approx(towers["GPP"].to_numpy()[days].mean(), rel=0.05)
    assert flux[days].std() == pytest.approx(towers["GPP"].to_numpy()[days].std(), rel=0.05)


@pytest.mark.parametrize("model", MODELS)
def test_a_stacked_model_reads_what_the_emulator_says(tmp_path, model, monkeypatch):
    kind = {"name": "stacking", "config": MODELS[model], **emulated_by(model)}
    monkeypatch.setattr(emulator, "_said", lambda *asked: truth_of(tiny_cube()))
    plain = transferred(tmp_path / "plain", **kind)
    assert Scaler.load(tmp_path / "plain" / "scaler.yaml").roles.fast[-1] == "GPP_simulated"
    monkeypatch.setattr(emulator, "_said", lambda *asked: truth_of(tiny_cube())[:, ::-1])
    turned = transferred(tmp_path / "turned", **kind)
    assert np.nanmax(np.abs(plain.predicted.flux - turned.predicted.flux)) > 1e-3


@pytest.mark.parametrize("model", MODELS)
def test_the_rest_to_a_perfect_simulation_is_nothing(tmp_path, model, monkeypatch):
    towers = tiny_cube()
    truth = truth_of(towers)[..., 0]
    monkeypatch.setattr(emulator, "_said", lambda *asked: truth_of(towers))
    learned = transferred(
        tmp_path / "run", towers, name="residual", align="units", config=MODELS[model], **emulated_by(model)
    )
    said, asked = learned.predicted.flux[..., 0], np.isfinite(learned.predicted.flux[..., 0])
    few_steps = 1.0  # gC m-2 d-1 that so short a training may be off; the flux lies between 0 and 15
    assert asked.any() and np.abs(said - truth)[asked].max() < few_steps
    assert np.corrcoef(said[asked], truth[asked])[0, 1] > 0.99
    assert learned.score < few_steps / truth.std()
    if learned.predicted.quantiles is not None:
        median = learned.predicted.quantiles[..., 0, 9]
        assert np.abs(median - truth)[asked].max() < few_steps


def test_errors_are_measured_against_the_spread_of_the_flux_whatever_the_technique(tmp_path):
    spread = {name: transferred(tmp_path / name, name=name).data.scaler.targets[0].spread for name in TECHNIQUES}
    assert spread["residual"] == pytest.approx(spread["stacking"])


@pytest.mark.parametrize("name", TECHNIQUES)
def test_the_emulator_stays_as_it_was_pretrained(tmp_path, name):
    learned = transferred(tmp_path / "run", name=name, align="units")
    transferred(tmp_path / "alone", reuse=False)  # the same pretraining, made for a technique without an emulator
    place = Path("checkpoints", "pretrain", "best.ckpt")
    kept, alone = (network_weights(tmp_path / folder / place) for folder in ("run/emulator", "alone"))
    assert kept.keys() == alone.keys()
    for weight, value in alone.items():
        assert (kept[weight] == value).all(), weight
    after = simulated(config_of(name, align="units"), tmp_path / "run", tiny_cube())
    np.testing.assert_array_equal(learned.data.cube["GPP_simulated"].to_numpy(), after)


def test_every_technique_ends_elsewhere(tmp_path):
    said = {name: transferred(tmp_path / name, name=name).score for name in ("scratch", "finetune", *TECHNIQUES)}
    assert len(set(said.values())) == len(said), said


def test_without_its_emulator_a_run_cannot_predict(tmp_path):
    transferred(tmp_path / "run", name="stacking")
    (tmp_path / "run" / "emulator" / "moments.json").write_text("{}")
    with pytest.raises(UserError, match=r"moments\.json: no readable moments"):
        told(config_of("stacking"), tmp_path / "run", tiny_cube())
    (tmp_path / "run" / "emulator" / "checkpoints" / "pretrain" / "best.ckpt").unlink()
    with pytest.raises(UserError, match="no such checkpoint"):
        told(config_of("stacking"), tmp_path / "run", tiny_cube())


def test_a_named_network_emulates_whatever_the_model_is(tmp_path):
    transferred(tmp_path / "run", name="stacking", emulator="tcn")
    said = json.loads((tmp_path / "run" / "emulator" / "pretraining.json").read_text())
    assert said["model"]["name"] == "tcn"
