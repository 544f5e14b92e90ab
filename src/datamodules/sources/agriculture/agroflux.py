"""AgroFlux (arXiv 2602.01614): Ecosys runs of 99 Midwest counties under 20 rates of nitrogen, and 11 flux towers.

Layout of the authors' repository: standardised arrays of (day, place, feature), years of 365 days, and the means and
spreads to undo it. Places of the runs are counties, and within them rates. The arrays of the towers do not say which
tower they are of: a table of the user's does.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from ....config.sources import AgroFluxSource
from ....errors import UserError
from ...cube import select_sites
from ..assemble import coordinates, described
from ..beside import side_by_side
from ..files import check_columns, collect, number_column, scan, text_column
from . import crops
from .arrays import Numbers, read_array, unscaled

FEATURES = ("TMAX", "TMIN", "PRECN", "FERTZR_N", "PLANTT", "Crop_Type", "TBKDS", "TSAND", "TSILT", "TPH", "TSOC")
CARBON = ("RECO", "GPP", "NEE")  # the first outputs of the module Carbon: Reco, GPP, CO2_FLUX
TOWER_FLUXES = ("GPP", "NEE")
RATES = 20
COUNTIES = Path("county_metrics") / "Ecosys_99points.csv"
DATA = Path("data_files")
FIRST_YEAR = 2001
PRODUCT, LICENCE, CITATION = "AgroFlux", "CC-BY-4.0", "Cheng et al. 2026, AgroFlux, arXiv 2602.01614"
MOST = 1_000_000  # of a tower's number
TOWER_COLUMNS = ("number", "site_id", "lat", "lon", "first_year")


def read(_pair: str, source: AgroFluxSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read the simulation or the towers.

    Raises
    ------
    UserError
        A file is missing or damaged, shapes do not fit, or the table of towers is wrong.
    """
    folder = root / source.path
    cube = _simulation(source, folder) if source.face == "simulation" else _towers(source, folder, root)
    return select_sites(cube, sites, str(folder))


def _simulation(source: AgroFluxSource, folder: Path) -> xr.Dataset:
    path = folder / DATA / "t0_mw" / "X_mw_scaled.npy"
    inputs = _physical(path, folder, "X_scaler")
    outputs = _physical(folder / DATA / "t0_mw" / "Y_mw_scaled_Carbon.npy", folder, "Y_scaler_Carbon")
    _check_inputs(inputs, outputs, path)
    counties = _counties(folder / COUNTIES)
    if inputs.shape[1] != len(counties) * RATES:
        raise UserError(f"{path}: has {inputs.shape[1]} runs, expected {len(counties)} counties x {RATES} rates")
    rates = list(range(RATES)) if source.rate is None else [source.rate]
    kept = [county * RATES + rate for county in range(len(counties)) for rate in rates]
    names = [f"{fips}-n{rate:02d}" for fips in counties["FIPS"] for rate in rates]
    lat, lon = (np.repeat(counties[name].to_numpy(), len(rates)) for name in ("Lat", "Lon"))
    features = crops.named(FEATURES, inputs[:, kept].transpose(1, 0, 2))
    fluxes = crops.named(CARBON, outputs[:, kept, : len(CARBON)].transpose(1, 0, 2))
    days = crops.days_from(FIRST_YEAR, len(inputs))
    return _cube(features, fluxes, days, names, (lat, lon), f"{PRODUCT}: Ecosys")


def _towers(source: AgroFluxSource, folder: Path, root: Path) -> xr.Dataset:
    if not source.sites:
        raise UserError(
            "data.*.sites: the arrays do not say which tower they are of; name a table with "
            f"{', '.join(TOWER_COLUMNS)} (number as in X_real_scaled_ECfluxnet_NUMBER.npy)"
        )
    table = _tower_table(root / source.sites)
    cubes = []
    for number, site, lat, lon, year in table.iter_rows():
        path = folder / DATA / "t1_co2" / f"X_real_scaled_ECfluxnet_{number}.npy"
        inputs = _physical(path, folder, "X_scaler")
        scaled = read_array(path.with_name(f"Y_real_scaled_ECfluxnet_Combined_{number}.npy"), 3)
        _check_inputs(inputs, scaled, path, fluxes=len(TOWER_FLUXES))
        scaler_path = folder / DATA / "t0_scalers" / "Y_scaler_Carbon.npy"
        scaler = read_array(scaler_path, 2)
        if len(scaler) < len(CARBON):
            raise UserError(f"{scaler_path}: is of {len(scaler)} fluxes, expected {len(CARBON)}; download it again")
        outputs = unscaled(scaled[..., :2], scaler[[CARBON.index(name) for name in TOWER_FLUXES]], str(path))
        features = crops.named(FEATURES, inputs.transpose(1, 0, 2))
        fluxes = crops.named(TOWER_FLUXES, outputs.transpose(1, 0, 2))
        days = crops.days_from(year, len(inputs))
        cubes.append(_cube(features, fluxes, days, [site], (np.array([lat]), np.array([lon])), f"{PRODUCT}: towers"))
    notes = dict.fromkeys(line for cube in cubes for line in cube.attrs["reading_notes"].split("\n"))
    return side_by_side(cubes).assign_attrs(cubes[0].attrs, reading_notes="\n".join(notes))


def _cube(
    features: dict[str, Numbers],
    fluxes: dict[str, Numbers],
    days: NDArray[np.datetime64],
    names: list[str],
    position: tuple[Numbers, Numbers],
    product: str,
) -> xr.Dataset:
    notes = [f"years of 365 days from {str(days[0])[:4]} on; 29 Februaries have no values"]
    begin, length = days[0], int((days[-1] - days[0]).astype(int)) + 1
    values = {**crops.drivers_of(features), **crops.balanced(fluxes, notes)}
    made = crops.variables_of(values, days, begin, length, notes)
    fixed = crops.statics_of(features, notes)
    cube = xr.Dataset({**made, **fixed}, coordinates(names, *position, begin, length, "noleap"))
    return cube.assign_attrs(described(product, "", LICENCE, CITATION, notes))


def _physical(path: Path, folder: Path, scaler: str) -> Numbers:
    """Return an array (day, place, feature) as it was before it was standardised."""
    scale = read_array(folder / DATA / "t0_scalers" / f"{scaler}.npy", 2)
    return unscaled(read_array(path, 3), scale, str(path))


def _check_inputs(inputs: Numbers, outputs: Numbers, path: Path, fluxes: int = len(CARBON)) -> None:
    if inputs.shape[2] != len(FEATURES):
        raise UserError(f"{path}: has {inputs.shape[2]} features, expected {len(FEATURES)}: {', '.join(FEATURES)}")
    if outputs.shape[:2] != inputs.shape[:2] or outputs.shape[2] < fluxes:
        raise UserError(f"{path}: inputs of {inputs.shape} and outputs of {outputs.shape} do not belong together")
    if inputs.shape[0] % crops.DAYS_OF_A_YEAR:
        raise UserError(f"{path}: has {inputs.shape[0]} days, expected whole years of {crops.DAYS_OF_A_YEAR}")


def _counties(path: Path) -> pl.DataFrame:
    lazy = scan(path)
    check_columns(lazy, ("FIPS", "Lon", "Lat"), path)
    table = collect(lazy, path)
    numbers = [number_column(table, name, (), path).alias(name) for name in ("Lon", "Lat")]
    return pl.DataFrame([text_column(table, "FIPS").fill_null("").alias("FIPS"), *numbers])


def _tower_table(path: Path) -> pl.DataFrame:
    lazy = scan(path)
    check_columns(lazy, TOWER_COLUMNS, path)
    table = collect(lazy, path)
    numbers = {name: number_column(table, name, (), path) for name in TOWER_COLUMNS if name != "site_id"}
    for name, values in numbers.items():
        whole = name in ("number", "first_year")
        known = not values.has_nulls() and bool(values.is_finite().all())
        if not known or (whole and ((values % 1 != 0) | (values.abs() > MOST)).any()):
            raise UserError(f"{path}: column {name!r} has a cell that is no {'whole ' if whole else ''}number")
    years = numbers["first_year"]
    if table.is_empty() or ((years < 1950) | (years > 2100)).any():
        raise UserError(f"{path}: names no tower, or a first_year outside 1950-2100")
    return pl.DataFrame(
        [
            numbers["number"].cast(pl.Int64), text_column(table, "site_id").fill_null("").alias("site_id"),
            numbers["lat"], numbers["lon"], years.cast(pl.Int64),
        ]
    )  # fmt: skip
