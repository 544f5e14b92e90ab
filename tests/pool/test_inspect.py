"""What a file is, said before anything is declared."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from agriculture_layout import write_pykgml
from fluxnet_layout import OFFICIAL, csv_text, half_hours, write_facts, write_zip
from gridded_layout import months, truth, write_product
from raciflux.errors import UserError
from raciflux.pool.inspect import inspect
from xmethanewet_layout import write_grids, write_towers


def said(path: Path) -> str:
    return "\n".join(inspect(path))


def test_a_download_of_a_flux_network(tmp_path):
    name = OFFICIAL.format(site="FI-Hyy", resolution="HH", years="2004-2004")
    path = write_zip(tmp_path / "FLX_FI-Hyy.zip", {name: csv_text(half_hours()), "README.csv": "a,b\n1,2\n"})
    text = said(path)
    assert "FLUXNET2015 of FI-Hyy, half-hours, release 1-4" in text and "kind: fluxnet, path: FLX_FI-Hyy.zip" in text
    assert "NEE      from NEE_VUT_REF [umol CO2 m-2 s-1], quality from NEE_VUT_REF_QC" in text
    assert "README.csv: not named as the flux networks name their files" in text
    assert "site facts (BIF) of 1 sites: FI-Hyy" in said(write_facts(tmp_path / "facts", ["FI-Hyy"]))


def test_tables_and_arrays(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("plot,day,TA_F,FCH4\nA,2004-01-01,1,2\n")
    assert "a table of 1 rows x 4 columns: plot, day, TA_F, FCH4" in said(path)
    assert "TA: {column: TA_F, unit: ...}" in said(path) and "FCH4: {column: FCH4, unit: ...}" in said(path)
    np.save(tmp_path / "X.npy", np.array([[1.0, np.nan]]))
    assert "numbers of shape (1, 2), 50% known" in said(tmp_path / "X.npy")
    assert "serialised dictionary" in said(write_pykgml(tmp_path / "p") / "co2_pretrain_data.sav")


def test_grids(tmp_path):
    write_product(tmp_path / "ch4.nc", truth(12), months(2003, 1, "noleap"), calendar="noleap")
    assert "ch4 [mgCH4 m-2 d-1], 18 x 36 cells: 12 months, 2003-01 to 2003-12" in said(tmp_path / "ch4.nc")
    write_product(tmp_path / "wet.zarr", truth(1)[0], None, name="fw", unit="1")
    assert "fw [1], 18 x 36 cells: a map" in said(tmp_path / "wet.zarr")
    folder = write_grids(tmp_path / "TEM-MDM", [2003], rows=4)
    assert "TA of X-MethaneWet's grids" in said(folder / "daily_ecmwf_TAIR_2003.nc")
    towers = write_towers(tmp_path / "FLUXNET-CH4", 2003, 2003, ["US-Myb"])
    assert "the towers of X-MethaneWet, 365 days" in said(towers / "FLUXNET_T1_DD.csv")


def test_what_cannot_be_read_as_it_is_is_not_promised(tmp_path):
    levels = xr.Dataset(
        {"ch4": (("time", "lev", "lat", "lon"), np.zeros((2, 3, 4, 8), np.float32), {"units": "mgCH4 m-2 d-1"})},
        {"time": ("time", [0, 31], {"units": "days since 2003-01-15"}), "lat": [-60, -20, 20, 60],
         "lon": np.arange(-157.5, 180, 45)},
    )  # fmt: skip
    levels["lat"].attrs["units"], levels["lon"].attrs["units"] = "degrees_north", "degrees_east"
    levels.to_netcdf(tmp_path / "levels.nc")
    assert "not as it is" in said(tmp_path / "levels.nc") and "has the dimension 'lev' of 3" in said(
        tmp_path / "levels.nc"
    )
    write_product(tmp_path / "mine.nc", truth(12), months(2003, 1, "noleap"), name="NPP", calendar="noleap")
    assert "12 months" in said(tmp_path / "mine.nc") and "X-MethaneWet" not in said(tmp_path / "mine.nc")
    assert "holds no table" in said(write_zip(tmp_path / "era5.zip", {"data.nc": "CDF"}))
    np.save(tmp_path / "four.npy", np.ones((1, 1, 1, 1)))
    with pytest.raises(UserError, match=r"has shape \(1, 1, 1, 1\)"):
        inspect(tmp_path / "four.npy")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        inspect(tmp_path / "folder.csv")


def test_what_is_no_file_or_none_of_ours_is_one_line(tmp_path):
    (tmp_path / "notes.docx").write_text("")
    (tmp_path / "broken.nc").write_bytes(b"CDF")
    for name, words in (
        ("missing.csv", "no such file"), ("notes.docx", "nothing here reads '.docx'"), ("broken.nc", "cannot be read"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            inspect(tmp_path / name)


def test_the_script_says_it(tmp_path, capsys):
    path = Path(__file__).parents[2] / "scripts" / "harmonise.py"
    spec = importlib.util.spec_from_file_location("script_harmonise", path)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    np.save(tmp_path / "X.npy", np.ones(3))
    script.main(["--inspect", str(tmp_path / "X.npy")])
    assert "X.npy: numbers of shape (3,), 100% known" in capsys.readouterr().out
    with pytest.raises(UserError, match="--inspect needs a file"):
        script.main(["--inspect"])
