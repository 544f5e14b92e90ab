"""Places predicted block by block: whole or not at all, gone on with after an interruption, one process at a time."""

import fcntl
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.config.sources import EmbeddedSource
from raciflux.datamodules.cube import write_zarr
from raciflux.datamodules.sources import read
from raciflux.errors import UserError
from raciflux.workflow import blocks
from raciflux.workflow.apply import finished_run, read_places

from .conftest import Finished, Run, load_script


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored cube of sixteen places that the run was not trained on."""
    path = tmp_path_factory.mktemp("places") / "places.zarr"
    write_zarr(read("wetland_ch4", EmbeddedSource(places=16, years=3, seed=7), Path()), path)
    return path


def predict(run: Path, cube: Path, output: Path, *more: str) -> xr.Dataset:
    load_script("predict").main([str(run), f"data={cube}", f"output={output}", *more])
    with xr.open_zarr(output) as made:
        return made.load()


@pytest.fixture(scope="module")
def whole(finished: Finished, places: Path, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    return predict(finished.folder, places, tmp_path_factory.mktemp("whole") / "p.zarr")


def interrupted_after(monkeypatch: pytest.MonkeyPatch, count: int, error: BaseException) -> list[int]:
    """Have the prediction of a block fail once ``count`` are made; return the sites of each that was made."""
    made: list[int] = []
    real = blocks.predict_cube

    def failing(run: blocks.FinishedRun, cube: xr.Dataset) -> xr.Dataset:
        if len(made) == count:
            raise error
        made.append(cube.sizes["site"])
        return real(run, cube)

    monkeypatch.setattr(blocks, "predict_cube", failing)
    return made


def test_blocks_change_nothing(finished: Finished, places: Path, whole: xr.Dataset, tmp_path: Path) -> None:
    parts = predict(finished.folder, places, tmp_path / "p.zarr", "block=6")
    assert parts.attrs == whole.attrs and list(parts.variables) == list(whole.variables)
    assert np.isfinite(parts["prediction"]).any() and parts["inside_area"].dtype == np.int8
    for name, values in whole.variables.items():
        if values.dtype.kind == "f":  # a network's sums round otherwise in other batches
            np.testing.assert_allclose(parts[name], values, rtol=2e-6, atol=2e-6)
        else:
            np.testing.assert_array_equal(parts[name], values)
    assert {path.name for path in tmp_path.iterdir()} == {"p.zarr"}


def test_only_a_block_of_a_stored_cube_is_in_memory(
    finished: Finished, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_at_once: list[int] = []
    real = blocks.loaded

    def noted(cube: xr.Dataset) -> xr.Dataset:
        read_at_once.append(cube.sizes["site"])
        return real(cube)

    monkeypatch.setattr(blocks, "loaded", noted)
    cube = read_places(finished.folder, [f"data={places}"])
    run = finished_run(finished.folder)
    assert not cube["TA"].variable._in_memory
    blocks.predict_in_blocks(run, cube, tmp_path / "p.zarr", 6)
    assert read_at_once == [6, 6, 4] * 2
    assert not cube["TA"].variable._in_memory and "FCH4" in cube and "FCH4" not in run.inputs(cube)


def test_cells_of_a_grid_open_as_a_map(finished: Finished, places: Path, tmp_path: Path) -> None:
    north, east = np.arange(50, 52, 0.5), np.arange(10, 12, 0.5)
    lat, lon = (each.ravel()[:-1] for each in np.meshgrid(north, east, indexing="ij"))
    cells = xr.open_zarr(places).load().isel(site=slice(15), time=slice(500))
    half = ("site", np.full(15, 0.5))
    cells = cells.assign_coords(lat=("site", lat), lon=("site", lon), cell_height=half, cell_width=half)
    write_zarr(cells.assign_attrs(places="cells"), tmp_path / "cells.zarr")
    predict(finished.folder, tmp_path / "cells.zarr", tmp_path / "p.zarr", "block=4")
    made = xr.open_zarr(tmp_path / "p.zarr")
    grid = made.drop_vars("site_id").set_index(site=["lat", "lon"])["prediction"].unstack("site")
    assert grid.sizes == {"time": 500, "lat": 4, "lon": 4}
    np.testing.assert_array_equal(grid.sel(lat=50.5, lon=11.0), made["prediction"][6])
    assert np.isnan(grid.sel(lat=51.5, lon=11.5)).all()
    assert made["cell_height"].to_numpy().tolist() == [0.5] * 15


def test_sites_of_a_block_become_fewer_as_days_become_more(finished: Finished) -> None:
    run = finished_run(finished.folder)

    def size(sites: int, years: float) -> int:
        days = np.arange(int(365 * years)).astype("datetime64[D]").astype("datetime64[ns]")
        return blocks.blocks_of(run, xr.Dataset(coords={"site": np.arange(sites), "time": days})).size

    assert size(60_000, 1) > size(60_000, 3) > size(60_000, 100) >= 1
    assert size(60_000, 1) % blocks.ALIKE == 0
    assert size(60_000, 1) * 365 < blocks.SITE_DAYS
    assert size(7, 1) == 7
    window = run.config.data.window
    padding = 2 * (window.warmup_days + window.scored_days)  # of few days, nearly all that a block holds
    assert size(10_000_000, 1 / 365) * padding <= blocks.SITE_DAYS / blocks.PADDING


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("something")])
def test_the_same_command_goes_on_with_what_is_written(
    finished: Finished,
    places: Path,
    whole: xr.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
) -> None:
    output = tmp_path / "p.zarr"
    with monkeypatch.context() as patched, pytest.raises(type(error)):
        interrupted_after(patched, 2, error)
        predict(finished.folder, places, output, "block=6")
    assert not output.exists() and "2 blocks are kept" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"made with another block"):
        predict(finished.folder, places, output, "block=7")
    other = tmp_path / "other.zarr"
    write_zarr(xr.open_zarr(places).load().assign(TA=lambda cube: cube["TA"] + 1), other)
    with pytest.raises(UserError, match=r"made with another data"):
        predict(finished.folder, other, output, "block=6")
    made = interrupted_after(monkeypatch, 9, error)
    parts = predict(finished.folder, places, output, "block=6")
    assert made == [4], "only the block that was missing"
    np.testing.assert_allclose(parts["prediction"], whole["prediction"], rtol=1e-5, atol=1e-5)
    assert not (tmp_path / "p.zarr.partial").exists()


def test_another_run_does_not_go_on_with_it(
    finished: Finished, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        interrupted_after(patched, 1, KeyboardInterrupt())
        predict(finished.folder, places, tmp_path / "p.zarr", "block=6")
    with pytest.raises(UserError, match=r"made with another run; remove it"):
        predict(finished.folder / "baselines" / "site_mean", places, tmp_path / "p.zarr", "block=6")


def test_a_failure_in_the_first_block_leaves_nothing(
    finished: Finished, places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_after(monkeypatch, 0, UserError("something"))
    with pytest.raises(UserError, match="something"):
        predict(finished.folder, places, tmp_path / "p.zarr", "block=6")
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_is_refused(finished: Finished, places: Path, tmp_path: Path) -> None:
    partial = tmp_path / "p.zarr.partial"
    partial.mkdir()
    with (partial / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is writing this output"):
            predict(finished.folder, places, tmp_path / "p.zarr")


@pytest.mark.parametrize(("place", "value", "said"), [(13, np.inf, "infinite at"), (15, np.nan, "no value at")])
def test_a_mistake_in_the_last_block_is_said_before_the_first_is_predicted(
    finished: Finished,
    places: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: int,
    value: float,
    said: str,
) -> None:
    wrong = xr.open_zarr(places).load()
    wrong["TA"][{"site": place}] = value
    wrong.to_zarr(tmp_path / "wrong.zarr", zarr_format=3, consolidated=False)
    made = interrupted_after(monkeypatch, 9, KeyboardInterrupt())
    with pytest.raises(UserError, match=f"TA.*{said}.*{wrong['site_id'].to_numpy()[place]}"):
        predict(finished.folder, tmp_path / "wrong.zarr", tmp_path / "p.zarr", "block=6")
    assert made == []


@pytest.mark.parametrize("text", ["0.5", "-1", "many", ""])
def test_a_block_is_a_number_of_sites(finished: Finished, places: Path, tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"block=.*whole number of sites"):
        predict(finished.folder, places, tmp_path / "p.zarr", f"block={text}")


def test_a_full_disk_is_one_line(finished: Finished, places: Path, tmp_path: Path, run_script: Run) -> None:
    import resource

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))

    output = tmp_path / "p.zarr"
    done = run_script("predict", [str(finished.folder), f"data={places}", f"output={output}"], preexec_fn=small_files)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: disk full") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
