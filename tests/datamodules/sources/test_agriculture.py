"""AgroFlux and PyKGML: numbers come back as they were before they were standardised; code in a file never runs."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from agriculture_layout import physical_agroflux, physical_pykgml, write_agroflux, write_pykgml
from raciflux.config.sources import AgroFluxSource, PykgmlSource
from raciflux.datamodules.sources import read
from raciflux.errors import UserError


@pytest.fixture
def agroflux(tmp_path) -> Path:
    write_agroflux(tmp_path / "AgroFlux")
    return tmp_path


@pytest.fixture
def pykgml(tmp_path) -> Path:
    write_pykgml(tmp_path / "PyKGML")
    return tmp_path


def towers(root: Path):
    return read("cropland_gpp", AgroFluxSource(sites="AgroFlux/towers.csv"), root)


def kgml(root: Path, **options: object):
    return read("cropland_co2", PykgmlSource(**{"sites": "PyKGML/sites.csv", **options}), root)


def test_runs_come_back_county_by_county_and_rate_by_rate(agroflux):
    cube = read("cropland_gpp", AgroFluxSource(face="simulation"), agroflux)
    inputs, outputs = physical_agroflux(120, 2)
    assert cube.sizes["site"] == 120 and cube["site_id"].to_numpy()[[0, 19, 20]].tolist() == [
        "17001-n00", "17001-n19", "17003-n00",
    ]  # fmt: skip
    place = cube["site_id"].to_numpy().tolist().index("17005-n07")
    assert place == 47
    at = cube.isel(site=place)
    np.testing.assert_allclose(at["TA"], inputs[:, 47, :2].mean(-1), atol=1e-4)
    np.testing.assert_allclose(at["GPP"], outputs[:, 47, 1], atol=1e-4)
    np.testing.assert_allclose(at["RECO"], -outputs[:, 47, 0], atol=1e-4)
    np.testing.assert_allclose(at["NEE"], at["RECO"] - at["GPP"], atol=1e-4)
    assert float(cube["lon"][47]) == pytest.approx(-94.0) and float(cube["sand"][47]) == pytest.approx(25.0, abs=1e-3)
    assert "NEE: uptake is positive in the files, turned" in cube.attrs["reading_notes"]


def test_nitrogen_is_known_from_the_day_it_was_applied(agroflux):
    cube = read("cropland_gpp", AgroFluxSource(face="simulation", rate=7), agroflux)
    assert cube.sizes["site"] == 6
    amount = cube["N_RATE"].isel(site=2)
    assert float(amount.sel(time="2001-04-29").values) == pytest.approx(0, abs=1e-3)
    np.testing.assert_allclose(amount.sel(time=["2001-04-30", "2001-12-31"]), 7 * 1.7, atol=1e-3)
    assert float(amount.sel(time="2002-01-01").values) == pytest.approx(0, abs=1e-3)
    assert set(cube["crop"].to_numpy()) == {"1-5"}


def test_towers_stand_where_the_users_table_says_and_in_their_years(agroflux):
    cube = towers(agroflux)
    assert cube["site_id"].to_numpy().tolist() == ["US-T00", "US-T01", "US-T02"]
    assert (str(cube["time"].values[0])[:10], str(cube["time"].values[-1])[:10]) == ("2003-01-01", "2006-12-31")
    _, outputs = physical_agroflux(1, 3, seed=2)
    second = cube.isel(site=1).sel(time=slice("2004-01-01", "2006-12-31"))
    seen = np.isfinite(second["GPP"].to_numpy())
    assert 0.7 < seen.mean() < 0.9 and np.isnan(second["GPP"].sel(time="2004-02-29"))
    flux = np.insert(outputs[:, 0, 1], 59, np.nan)  # a 29 February that the arrays do not have
    np.testing.assert_allclose(second["GPP"].to_numpy()[seen], flux[seen], atol=1e-4)
    assert cube["GPP"].isel(site=0).sel(time="2006-06-06").isnull()
    net = np.insert(outputs[:, 0, 2], 59, np.nan)
    np.testing.assert_allclose(second["NEE"].to_numpy()[seen], -net[seen], atol=1e-4)


def test_pykgml_sites_keep_the_balance_of_carbon(pykgml):
    cube = kgml(pykgml)
    inputs, outputs = physical_pykgml(5, 2)
    np.testing.assert_allclose(cube["TA"], inputs[..., 1] - 6, atol=1e-3)
    np.testing.assert_allclose(cube["SW"], inputs[..., 0] * 1e6 / 86400, rtol=1e-3)
    np.testing.assert_allclose(cube["NEE"], cube["RECO"] - cube["GPP"], atol=1e-3)
    np.testing.assert_allclose(cube["NEE"], outputs[..., 2], atol=1e-3)
    assert "RECO: negative in the files, turned" in cube.attrs["reading_notes"]
    vapour = 10 * (inputs[..., 3] - inputs[..., 4] / 2)
    expected = 6.108 * np.exp(17.27 * (inputs[..., 1] - 6) / (inputs[..., 1] - 6 + 237.3)) - vapour
    np.testing.assert_allclose(cube["VPD"], np.maximum(expected, 0), atol=1e-2)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "ran"))


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_code_in_a_file_is_refused_and_does_not_run(pykgml, form):
    path, trap = pykgml / "PyKGML" / "co2_pretrain_data.sav", pykgml / "it ran"
    content = {"X_train": Trap(trap)}
    if form == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="is refused: it is damaged, or would run code"):
        kgml(pykgml)
    assert not trap.exists()
    torch.load(path, weights_only=False) if form == "torch" else pickle.loads(path.read_bytes())
    assert trap.read_text() == "ran"  # the trap works: had anything unpickled the file, it would have run


def test_an_array_of_objects_is_refused_and_does_not_run(agroflux):
    trap = agroflux / "it ran"
    path = agroflux / "AgroFlux" / "data_files" / "t0_mw" / "X_mw_scaled.npy"
    np.save(path, np.array([Trap(trap)], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read as numbers"):
        read("cropland_gpp", AgroFluxSource(face="simulation"), agroflux)
    assert not trap.exists()


def _replace(root: Path, name: str, change: object) -> None:
    path = root / "AgroFlux" / "data_files" / name
    np.save(path, change(np.load(path)))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("t0_mw/X_mw_scaled.npy", lambda x: x[..., :9], "a scaler of shape .* does not fit 9 features"),
        ("t0_mw/X_mw_scaled.npy", lambda x: x[:, :-1], "do not belong together"),
        ("t0_mw/X_mw_scaled.npy", lambda x: x[0], "expected numbers in 3 dimensions"),
        ("t0_scalers/X_scaler.npy", lambda x: x * np.nan, "a scaler of shape"),
        ("t0_scalers/X_scaler.npy", lambda x: x.astype("S"), "expected numbers in 2 dimensions"),
    ],
)
def test_arrays_that_do_not_fit_are_said_in_one_line(agroflux, name, change, said):
    _replace(agroflux, name, change)
    with pytest.raises(UserError, match=said):
        read("cropland_gpp", AgroFluxSource(face="simulation"), agroflux)


def test_missing_places_are_asked_for(agroflux, pykgml):
    with pytest.raises(UserError, match="the arrays do not say which tower they are of"):
        read("cropland_gpp", AgroFluxSource(), agroflux)
    with pytest.raises(UserError, match="does not say where its sites are"):
        kgml(pykgml, sites="")
    (pykgml / "PyKGML" / "sites.csv").write_text("site_id,lat,lon\nA,1,2\n")
    with pytest.raises(UserError, match="has 1 rows for 5 sites"):
        kgml(pykgml)
    with pytest.raises(UserError, match=r"no such file; did you mean 'co2_pretrain_data.sav'"):
        kgml(pykgml, path="PyKGML/co2_pretrain.sav")
