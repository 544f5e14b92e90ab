"""The account of a variable ends with what is in the cube, whichever reader made it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from agriculture_layout import write_agroflux, write_pykgml
from fluxnet_layout import half_hours, write_facts, write_site
from gridded_layout import months, truth, write_page, write_product
from raciflux.config.sources import AgroFluxSource, FluxnetSource, GridSource, PykgmlSource, XMethaneWetSource
from raciflux.datamodules.sources import read
from raciflux.datamodules.sources.account import account_of, together
from raciflux.variables import DRIVERS, TARGETS
from table_layout import Product, column_map, daily, sites
from xmethanewet_layout import write_all


def table(folder: Path) -> xr.Dataset:
    return Product(folder, column_map(), daily(), sites()).read()


def fluxnet(folder: Path) -> xr.Dataset:
    columns = half_hours()
    columns["TA_F"][:30] = ["-9999"] * 30
    write_site(folder, "FI-Hyy", columns)
    write_site(folder, "FI-Sod")
    write_facts(folder, ["FI-Hyy", "FI-Sod"])
    cube = read("terrestrial_carbon", FluxnetSource(path="."), folder)
    steps = account_of(cube["TA"])
    assert steps == {"given": 288, "with a number": 258, "days of enough steps": 5, "plausible": 5}
    return cube


def grid(folder: Path) -> xr.Dataset:
    page = write_page(folder / "page.yaml", "  FCH4: {name: ch4, files: 'flux.nc'}\n")
    field = truth(12, rows=4)
    field[3, 2, 5] = 1e9
    write_product(folder / "product" / "flux.nc", field, months(2003, 1, "standard"))
    cube = read("wetland_ch4", GridSource(page=str(page), path="product", first_year=2003, last_year=2003), folder)
    steps = account_of(cube["FCH4"])
    assert steps["with a number"] - steps["plausible"] == 30  # the days of one April
    return cube


def xmethanewet_towers(folder: Path) -> xr.Dataset:
    write_all(folder / "X-MethaneWet", 2003, 2003)
    return read("wetland_ch4", XMethaneWetSource(), folder)


def xmethanewet_cells(folder: Path) -> xr.Dataset:
    write_all(folder / "X-MethaneWet", 2003, 2004)
    source = XMethaneWetSource(face="cells", first_year=2003, last_year=2004, cells=20)
    cube = read("wetland_ch4", source, folder)
    assert account_of(cube["FCH4"])["with a number"] == 20 * 730
    return cube


def agroflux(folder: Path) -> xr.Dataset:
    write_agroflux(folder / "AgroFlux", counties=2, years=1, towers=2)
    return read("cropland_gpp", AgroFluxSource(sites="AgroFlux/towers.csv"), folder)


def pykgml(folder: Path) -> xr.Dataset:
    write_pykgml(folder / "PyKGML", sites=2, years=1)
    return read("cropland_co2", PykgmlSource(sites="PyKGML/sites.csv"), folder)


@pytest.mark.parametrize("reader", [table, fluxnet, grid, xmethanewet_towers, xmethanewet_cells, agroflux, pykgml])
def test_an_account_ends_with_what_is_in_the_cube(reader: Callable[[Path], xr.Dataset], tmp_path):
    cube = reader(tmp_path)
    counted = [str(name) for name in cube.data_vars if name in {**DRIVERS, **TARGETS} and name != "SW_POT"]
    assert len(counted) >= 1
    for name in counted:
        steps = list(account_of(cube[name]).values())
        assert len(steps) >= 2, name
        assert steps == sorted(steps, reverse=True), (name, steps)
        assert steps[-1] == int(np.isfinite(cube[name].to_numpy()).sum()), (name, steps)


def test_accounts_of_parts_add_up_step_by_step():
    assert together([{"given": 3, "plausible": 2}, {}, {"given": 1, "days": 1, "plausible": 1}]) == {
        "given": 4, "plausible": 3, "days": 1,
    }  # fmt: skip
