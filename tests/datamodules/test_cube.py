import errno

import numpy as np
import pytest
import xarray as xr
from raciflux.datamodules.cube import attributes, read_zarr, select_sites, validate, write_zarr
from raciflux.errors import UserError


@pytest.fixture
def cube() -> xr.Dataset:
    days = np.arange("2003-12-30", "2004-01-02", dtype="datetime64[D]").astype("datetime64[ns]")
    grid = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]], np.float32)
    return xr.Dataset(
        {
            "TA": (("site", "time"), grid, attributes("TA")),
            "NEE": (("site", "time"), grid, attributes("NEE")),
            "NEE_qc": (("site", "time"), np.ones_like(grid), {"units": "1"}),
            "NEE_expected": (("site", "time"), grid, attributes("NEE")),
            "elevation": ("site", np.array([1.0, np.nan], np.float32), attributes("elevation")),
            "igbp": ("site", np.array(["WET", "unknown"])),
        },
        {
            "site_id": ("site", np.array(["AA-One", "US-EDN-m07"])),
            "lat": ("site", np.array([10.0, -20.0])),
            "lon": ("site", np.array([100.0, -120.0])),
            "time": ("time", days, {"source_calendar": "noleap"}),
        },
        {"title": "a cube", "reading_notes": "one\ntwo"},
    )


def replace(cube, name, values):
    return cube.assign_coords({name: (cube[name].dims, np.asarray(values), cube[name].attrs)})


def test_valid_cube_comes_back_in_order(cube):
    assert validate(cube.transpose("time", "site"))["TA"].dims == ("site", "time")


FAULTS = {
    "no dimension 'time'": lambda cube: cube.isel(time=0, drop=True),
    "holds no site": lambda cube: cube.isel(site=slice(0)),
    "no coordinate 'lat'": lambda cube: cube.drop_vars("lat"),
    "'AA-One' stands 2 times": lambda cube: replace(cube, "site_id", ["AA-One", "AA-One"]),
    "'../x' is no site id": lambda cube: replace(cube, "site_id", ["AA-One", "../x"]),
    "lat of the site 'US-EDN-m07' is 90.5": lambda cube: replace(cube, "lat", [0.0, 90.5]),
    "lon of the site 'AA-One' is nan": lambda cube: replace(cube, "lon", [np.nan, 0.0]),
    "time goes from 2003-12-30 to 2004-01-01": lambda cube: cube.isel(time=[0, 2]),
    "time goes from 2003-12-31 to 2003-12-30": lambda cube: cube.isel(time=[1, 0, 2]),
    "must hold dates": lambda cube: cube.assign_coords(time=[0, 1, 2]),
    "source_calendar": lambda cube: cube.assign_coords(time=("time", cube["time"].to_numpy())),
    "units of 'TA' are 'K', expected 'degC'": lambda cube: cube.assign(TA=cube["TA"].assign_attrs(units="K")),
    "units of 'NEE_qc' are 'percent'": lambda cube: cube.assign(NEE_qc=cube["NEE_qc"].assign_attrs(units="percent")),
    "'TA' must be floating point on ('site', 'time'), found int64": lambda cube: cube.assign(
        TA=cube["TA"].fillna(0).astype(int)
    ),
    "'elevation' must be floating point on ('site',)": lambda cube: cube.assign(elevation=cube["TA"]),
    "the class 'igbp' must be text": lambda cube: cube.assign(igbp=cube["elevation"]),
    "'Ta' is no variable of a cube; did you mean 'TA'": lambda cube: cube.rename(TA="Ta"),
    "'TA' is infinite at US-EDN-m07 at 2003-12-31": lambda cube: cube.assign(
        TA=cube["TA"].copy(data=[[0, 0, 0], [0, np.inf, 0]])
    ),
}


@pytest.mark.parametrize("words", FAULTS)
def test_faulty_cube_is_refused(cube, words):
    with pytest.raises(UserError) as caught:
        validate(FAULTS[words](cube), "here")
    assert str(caught.value).startswith("here: ")
    assert words in str(caught.value)


def test_sites_are_selected_in_the_cubes_order(cube):
    assert select_sites(cube, []).identical(cube)
    assert select_sites(cube, ["US-EDN-m07", "AA-One"])["site_id"].to_numpy().tolist() == ["AA-One", "US-EDN-m07"]
    with pytest.raises(UserError, match=r"'AA-one' is not in cube; did you mean 'AA-One'\?"):
        select_sites(cube, ["AA-one"])


@pytest.mark.filterwarnings("error")
def test_zarr_gives_the_same_cube_back(cube, tmp_path):
    path = tmp_path / "deep" / "cube.zarr"
    write_zarr(cube, path)
    again = read_zarr(path)
    xr.testing.assert_identical(again, cube)
    assert {name: again[name].dtype for name in again.variables} == {name: cube[name].dtype for name in cube.variables}
    assert [entry.name for entry in path.parent.iterdir()] == ["cube.zarr"]


@pytest.mark.filterwarnings("error")
def test_a_plain_reader_opens_it_without_a_warning_and_finds_the_sites(cube, tmp_path):
    write_zarr(cube, tmp_path / "cube.zarr")
    with xr.open_zarr(tmp_path / "cube.zarr") as opened:
        assert opened["site_id"].to_numpy().tolist() == cube["site_id"].to_numpy().tolist()
        assert opened["site_id"].astype(object).astype(str).dtype.kind == "U"
        assert opened.sel(site=opened["site_id"] == str(cube["site_id"].to_numpy()[0])).sizes["site"] == 1


def test_existing_cube_is_not_overwritten(cube, tmp_path):
    write_zarr(cube, tmp_path / "cube.zarr")
    with pytest.raises(UserError, match=r"cube\.zarr: exists already"):
        write_zarr(cube.isel(site=[0]), tmp_path / "cube.zarr")
    assert read_zarr(tmp_path / "cube.zarr").sizes["site"] == 2


def test_full_disk_leaves_nothing(cube, tmp_path, monkeypatch):
    whole_write = xr.Dataset.to_zarr

    def fill_up(self, store, **options):
        whole_write(self, store, **options)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_zarr", fill_up)
    with pytest.raises(UserError, match=r"cube\.zarr: cannot be written \(No space left on device\)"):
        write_zarr(cube, tmp_path / "cube.zarr")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_write_leaves_nothing(cube, tmp_path, monkeypatch):
    def interrupt(self, store, **options):
        store.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(xr.Dataset, "to_zarr", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_zarr(cube, tmp_path / "cube.zarr")
    assert list(tmp_path.iterdir()) == []


def test_missing_zarr(tmp_path):
    with pytest.raises(UserError, match=r"gone\.zarr: no such Zarr folder"):
        read_zarr(tmp_path / "gone.zarr")


def test_damaged_zarr(cube, tmp_path):
    path = tmp_path / "cube.zarr"
    write_zarr(cube, path)
    for file in (path / "TA" / "zarr.json", path / "zarr.json"):
        file.write_text("{")
        with pytest.raises(UserError, match=r"cube\.zarr: cannot be read as Zarr"):
            read_zarr(path)


def test_damaged_chunk(cube, tmp_path):
    path = tmp_path / "cube.zarr"
    write_zarr(cube, path)
    chunk = next(file for file in (path / "TA" / "c").rglob("*") if file.is_file())
    chunk.write_bytes(chunk.read_bytes()[:7])
    with pytest.raises(UserError, match=r"cube\.zarr: cannot be read as Zarr"):
        read_zarr(path)


def test_empty_folder_is_no_cube(tmp_path):
    with pytest.raises(UserError, match=str(tmp_path)):
        read_zarr(tmp_path)
