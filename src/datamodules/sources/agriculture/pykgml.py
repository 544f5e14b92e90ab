"""PyKGML's serialised data (``co2_pretrain_data.sav``): sites of Ecosys with carbon fluxes, standardised.

A dictionary with ``X_train, X_test, Y_train, Y_test`` of (site, day, feature), ``x_scaler, y_scaler`` and the names of
the features (https://doi.org/10.5281/zenodo.17161653). It does not say where sites are: a table of the user's does.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import xarray as xr

from ....config.sources import PykgmlSource
from ....errors import UserError
from ...cube import select_sites
from ..assemble import coordinates, described
from ..site_list import COLUMNS, SiteList, read_site_list
from . import crops
from .arrays import read_dictionary, unscaled

ARRAYS = {"X_train": 3, "X_test": 3, "Y_train": 3, "Y_test": 3, "x_scaler": 2, "y_scaler": 2}
NAMES = ("input_features", "output_features")
PRODUCT, LICENCE = "PyKGML: KGML-ag-Carbon", "CC-BY-4.0"
CITATION = "Liu et al. 2024, 10.1038/s41467-023-43860-5; Yang et al. 2025, 10.5281/zenodo.17161653"


def read(_pair: str, source: PykgmlSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read both parts of a file, training sites first.

    Raises
    ------
    UserError
        The file is missing, damaged or would run code, shapes do not fit, or the table of sites is wrong.
    """
    path = root / source.path
    raw = read_dictionary(path, ARRAYS, NAMES)
    inputs = unscaled(np.concatenate(_pair_of(raw, "X", path)), raw["x_scaler"], f"{path}: x_scaler")
    outputs = unscaled(np.concatenate(_pair_of(raw, "Y", path)), raw["y_scaler"], f"{path}: y_scaler")
    for key, values in (("input_features", inputs), ("output_features", outputs)):
        if len(raw[key]) != values.shape[2]:
            raise UserError(f"{path}: {key} has {len(raw[key])} names for {values.shape[2]} features")
    if inputs.shape[:2] != outputs.shape[:2] or inputs.shape[1] % crops.DAYS_OF_A_YEAR:
        raise UserError(
            f"{path}: inputs of {inputs.shape} and outputs of {outputs.shape}; expected whole years of 365 days"
        )
    features = crops.named(raw["input_features"], inputs)
    fluxes = crops.named(raw["output_features"], outputs)
    places = _places(root / source.sites, len(inputs)) if source.sites else _nowhere(path)
    notes = [f"years of 365 days from {source.first_year} on; 29 Februaries have no values"]
    days = crops.days_from(source.first_year, inputs.shape[1])
    length = int((days[-1] - days[0]).astype(int)) + 1
    carbon = {"GPP": features["GPP"]} if "GPP" in features else {}
    if {"Ra", "Rh"} <= set(fluxes):
        carbon["RECO"] = fluxes["Ra"] + fluxes["Rh"]
    carbon |= {crops.FLUXES[name]: values for name, values in fluxes.items() if name in crops.FLUXES}
    known = {**crops.drivers_of(features), **crops.balanced(carbon, notes)}
    made = crops.variables_of(known, days, days[0], length, notes)
    fixed = crops.statics_of(features, notes)
    cube = xr.Dataset({**made, **fixed}, coordinates(places.names, places.lat, places.lon, days[0], length, "noleap"))
    return select_sites(cube.assign_attrs(described(PRODUCT, "", LICENCE, CITATION, notes)), sites, str(path))


def _pair_of(raw: dict[str, crops.Numbers], letter: str, path: Path) -> tuple[crops.Numbers, crops.Numbers]:
    train, test = raw[f"{letter}_train"], raw[f"{letter}_test"]
    if train.shape[1:] != test.shape[1:]:
        raise UserError(
            f"{path}: {letter}_train of {train.shape} and {letter}_test of {test.shape} do not belong together"
        )
    return train, test


def _nowhere(path: Path) -> NoReturn:
    raise UserError(
        f"{path}: does not say where its sites are; name a table with {', '.join(COLUMNS)}, a row a site in the "
        "order of the file, training sites first, in data.*.sites"
    )


def _places(path: Path, count: int) -> SiteList:
    sites = read_site_list(path)
    if len(sites.names) != count:
        raise UserError(f"{path}: has {len(sites.names)} rows for {count} sites; one a site, in the order of the file")
    return sites
