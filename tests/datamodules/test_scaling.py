from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from raciflux.contracts import TargetScale
from raciflux.datamodules.roles import Roles
from raciflux.datamodules.scaling import CONSTANT, Scaler
from raciflux.errors import UserError

from worlds import carbon_cube, tiny_cube

ROLES = Roles(("GPP",), ("TA", "VPD"), ("elevation", "mat"), ("igbp", "koppen"))
SITES, DAYS = 12, 100
TRAIN = np.arange(SITES) < 6
TRAINABLE = np.isfinite(tiny_cube(SITES, DAYS)["GPP"].to_numpy()) & TRAIN[:, None] & (np.arange(DAYS) % 3 > 0)


def fitted(cube: xr.Dataset, train=TRAIN, trainable=TRAINABLE, roles=ROLES, asinh_at=None) -> Scaler:
    """Fit on the whole record of the sites ``train``, or on its days (site, day)."""
    days = np.broadcast_to(train[:, None], (SITES, DAYS)) if train.ndim == 1 else train
    return Scaler.fit(cube, roles, days, trainable.reshape(SITES, DAYS, -1), asinh_at)


@pytest.fixture
def cube() -> xr.Dataset:
    return tiny_cube(SITES, DAYS)


def changed(cube, name, where, value):
    return cube.assign({name: cube[name].where(~xr.DataArray(where, dims=cube[name].dims), value)})


def test_moments_are_of_the_finite_values_of_training_sites(cube):
    scaler = fitted(cube)
    for name in ("TA", "VPD", "elevation", "mat"):
        values = cube[name].to_numpy()[TRAIN].astype(np.float64)
        assert scaler.inputs[name] == pytest.approx((np.nanmean(values), np.nanstd(values)))
    target = cube["GPP"].to_numpy()[TRAINABLE].astype(np.float64)
    mean, std = pytest.approx(target.mean()), pytest.approx(target.std())
    assert scaler.targets == (TargetScale("gC m-2 d-1", mean, std),)


def test_nothing_at_validation_or_test_sites_changes_it(cube):
    other = cube
    for name in ("TA", "VPD", "GPP"):
        other = changed(other, name, np.broadcast_to(~TRAIN[:, None], (SITES, DAYS)), 1e6)
    for name in ("elevation", "mat"):
        other = changed(other, name, ~TRAIN, 1e6)
    for name in ("igbp", "koppen"):
        other = changed(other, name, ~TRAIN, "ZZ")
    assert fitted(other) == fitted(cube)


def test_a_target_outside_the_training_days_changes_nothing(cube):
    assert fitted(changed(cube, "GPP", ~TRAINABLE, 1e6)) == fitted(cube)
    assert fitted(changed(cube, "GPP", TRAINABLE, 7.0)) != fitted(cube)


def test_scaled_training_inputs_have_mean_0_and_deviation_1(cube):
    scaled = fitted(cube).scale("TA", cube["TA"].to_numpy())
    assert scaled.dtype == np.float32
    assert np.nanmean(scaled[TRAIN]) == pytest.approx(0, abs=1e-5)
    assert np.nanstd(scaled[TRAIN]) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(cube["TA"].to_numpy()))


def test_the_order_of_dimensions_does_not_matter(cube):
    assert fitted(cube.transpose("time", "site")) == fitted(cube)


def test_a_constant_input_is_0_and_not_infinite(cube):
    constant = cube.assign(TA=xr.full_like(cube["TA"], 21.3), mat=xr.full_like(cube["mat"], 0.0))
    scaler = fitted(constant)
    for name in ("TA", "mat"):
        np.testing.assert_allclose(scaler.scale(name, constant[name].to_numpy()), 0, atol=1e-5)
    assert scaler.inputs["TA"][1] == 1.0


def test_class_codes_come_from_training_sites_alone(cube):
    igbp = np.array(["GRA", "ENF", "unknown", "GRA", "ENF", "GRA", "WET", "GRA", "unknown", "ENF", "NO", ""])
    scaler = fitted(cube.assign(igbp=("site", igbp)))
    assert scaler.classes["igbp"] == ("ENF", "GRA")
    assert scaler.class_sizes == (3, 3)
    assert scaler.encode("igbp", igbp).tolist() == [2, 1, 0, 2, 1, 2, 0, 2, 0, 1, 0, 0]


@pytest.mark.parametrize("name", ["TA", "elevation"])
def test_an_input_without_a_value_at_training_sites_is_named(cube, name):
    with pytest.raises(UserError, match=rf"{name} has no value at any training site.*data.drop_inputs=\[{name}\]"):
        fitted(cube.assign({name: cube[name].where(xr.DataArray(~TRAIN, dims="site"))}))


def test_no_training_day_is_said(cube):
    with pytest.raises(UserError, match="no day of GPP can be trained on"):
        fitted(cube, trainable=np.zeros((SITES, DAYS), bool))


def test_later_days_of_a_training_site_change_nothing(cube):
    """A split in time trains on each site's past; a static has no past, and counts."""
    past = TRAIN[:, None] & (np.arange(DAYS)[None] < 40 + np.arange(SITES)[:, None])
    later = cube
    for name in ("TA", "VPD", "GPP"):
        later = changed(later, name, ~past, 1e6)
    fit_on_past = fitted(cube, past, TRAINABLE & past)
    assert fitted(later, past, TRAINABLE & past) == fit_on_past != fitted(cube)
    assert fit_on_past.inputs["mat"] == fitted(cube).inputs["mat"]


def test_each_target_is_scaled_by_its_own_days(tmp_path):
    cube = carbon_cube(SITES, DAYS)
    roles = replace(ROLES, targets=("NEE", "GPP"))
    days = np.stack([np.isfinite(cube[name].to_numpy()) & TRAIN[:, None] for name in roles.targets], axis=-1)
    scaler = fitted(cube, trainable=days, roles=roles)
    for i, name in enumerate(roles.targets):
        values = cube[name].to_numpy()[days[..., i]].astype(np.float64)
        assert (scaler.targets[i].mean, scaler.targets[i].std) == pytest.approx((values.mean(), values.std()))
    assert scaler.targets[0] != scaler.targets[1]
    scaler.save(tmp_path / "scaler.yaml")
    assert Scaler.load(tmp_path / "scaler.yaml") == scaler
    none_of_gpp = days & np.array([True, False])
    with pytest.raises(UserError, match="no day of GPP can be trained on"):
        fitted(cube, trainable=none_of_gpp, roles=roles)


def test_a_long_tailed_target_is_scaled_after_its_transform(cube, tmp_path):
    scaler = fitted(cube, asinh_at=0.5)
    flux = cube["GPP"].to_numpy()[TRAINABLE].astype(np.float64)
    (scale,) = scaler.targets
    bent = np.arcsinh(flux / 0.5)
    assert (scale.mean, scale.std, scale.spread) == pytest.approx((bent.mean(), bent.std(), flux.std()))
    assert scaler.inputs == fitted(cube).inputs
    scaled = scale.to_scaled(flux)
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-5)
    scaler.save(tmp_path / "scaler.yaml")
    assert Scaler.load(tmp_path / "scaler.yaml") == scaler
    assert "    asinh_at: 0.5\n" in (tmp_path / "scaler.yaml").read_text()
    fitted(cube).save(tmp_path / "linear.yaml")
    assert "asinh" not in (tmp_path / "linear.yaml").read_text(), "a linear scale reads as it always did"


# --- the file ---------------------------------------------------------------------------------------------------------


def test_saved_and_loaded_it_is_the_same_to_the_bit(cube, tmp_path):
    igbp = np.array(["NO", "null", "1e3", "'", "#", "é", "y", "~", "0x1F", "a: b", "[", "unknown"])
    scaler = fitted(cube.assign(igbp=("site", igbp)), train=np.ones(SITES, bool))
    scaler.save(tmp_path / "scaler.yaml")
    loaded = Scaler.load(tmp_path / "scaler.yaml")
    assert loaded == scaler
    assert len(loaded.classes["igbp"]) == 11
    np.testing.assert_array_equal(
        loaded.scale("VPD", cube["VPD"].to_numpy()), scaler.scale("VPD", cube["VPD"].to_numpy())
    )


def test_roles_without_statics_or_classes_come_back(cube, tmp_path):
    scaler = fitted(cube, roles=Roles(("GPP",), ("TA",), (), ()))
    scaler.save(tmp_path / "scaler.yaml")
    assert Scaler.load(tmp_path / "scaler.yaml") == scaler


def test_a_reader_sees_names_and_units(cube, tmp_path):
    fitted(cube).save(tmp_path / "scaler.yaml")
    text = (tmp_path / "scaler.yaml").read_text()
    assert text.startswith("targets:\n  GPP:\n    unit: gC m-2 d-1\n")
    assert "  VPD:\n    unit: hPa\n" in text


DAMAGED = {
    "missing": None,
    "empty": b"",
    "torn": b"targets:\n  GPP:\n    unit: gC m-2 d-1\n    mean: 3.1\n",
    "not YAML": b"a: b: c: [",
    "not text": b"\xff\xfe\x00\x9d\x81",
    "a list": b"- 1\n- 2\n",
    "a word": b"scaler",
    "targets as a list": b"targets: [GPP]\nfast: {}\nstatic: {}\nclasses: {}\n",
    "classes as a list": b"targets: {GPP: {unit: x, mean: 0, std: 1}}\nfast: {}\nstatic: {}\nclasses: [igbp]\n",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_said_in_one_line(tmp_path, content):
    path = tmp_path / "scaler.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"scaler\.yaml: not a readable scaler") as caught:
        Scaler.load(path)
    assert "\n" not in str(caught.value)


def test_carried_to_towers_the_inputs_keep_their_scale_but_constants_and_the_target_take_theirs(cube):
    towers = fitted(cube)
    flat, moved = towers.roles.static[0], towers.roles.fast[0]
    inputs = towers.inputs | {flat: (2000.0, CONSTANT), moved: (5.0, 3.0)}
    simulation = replace(towers, inputs=inputs, targets=(TargetScale("gC m-2 d-1", 1.0, 2.0),))
    carried = simulation.carried_to(towers)
    assert carried.targets == towers.targets
    bent = fitted(cube, asinh_at=2.0)
    assert simulation.carried_to(bent).targets == bent.targets, "the transform, at the observations' own scale"
    assert carried.inputs[flat] == towers.inputs[flat]
    assert carried.inputs[moved] == (5.0, 3.0)


def test_carried_to_towers_refitted_inputs_take_the_observations_scale_and_classes_stay(cube):
    towers = fitted(cube)
    others = {name: (mean + 4.0, 3.0 * std) for name, (mean, std) in towers.inputs.items()}
    simulation = replace(towers, inputs=others, classes={"igbp": ("WET",), "koppen": ("Dfc",)})
    carried = simulation.carried_to(towers, refitted=True)
    assert carried == replace(towers, classes=simulation.classes), (
        "codes belong to the weights that were trained on them"
    )
    assert simulation.carried_to(towers).inputs == others


def test_carried_to_towers_in_units_a_flux_keeps_the_simulations_scale_and_errors_the_observed_spread(cube):
    towers = fitted(cube)
    (observed,) = towers.targets
    simulation = replace(towers, targets=(TargetScale("gC m-2 d-1", 8.0, 2.5),))
    (scale,) = simulation.carried_to(towers, in_units=True).targets
    assert (scale.mean, scale.std, scale.spread) == (8.0, 2.5, observed.std)
    bent = replace(simulation, targets=(TargetScale("gC m-2 d-1", 1.0, 0.5, 2.0, flux_std=9.0),))
    (scale,) = bent.carried_to(fitted(cube, asinh_at=2.0), in_units=True).targets
    assert (scale.mean, scale.std, scale.asinh_at, scale.spread) == (1.0, 0.5, 2.0, observed.std)
