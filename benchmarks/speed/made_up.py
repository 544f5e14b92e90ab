"""Made-up towers: random numbers in the shape of a real data set, seeded; speed does not depend on their values."""

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from raciflux.config.schema import DataConfig, WindowConfig
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.roles import Pair, choose
from raciflux.datamodules.splits import Split
from torch import Tensor

DRIVERS = (
    *("TA", "TA_MIN", "TA_MAX", "SW", "VPD", "VPD_MAX", "P", "PA", "WS", "CO2", "LW", "TS", "SWC", "WTD"),
    "PPFD",
)
WINDOW = 365  # days
DAYS = 15 * WINDOW  # with windows of a year, an epoch of random tilings is then 16 windows a site
VALIDATION = 4  # sites


class FifteenDrivers(FluxDataModule):
    """A data module like any other, with exactly fifteen daily drivers."""

    pair = Pair(name="fifteen_drivers", targets=("GPP",), required=DRIVERS)


def driver_table(sites: int, seed: int) -> Tensor:
    """Return random drivers (site, day, feature)."""
    return torch.randn(sites, DAYS, len(DRIVERS), generator=torch.Generator().manual_seed(seed))


def data_module(sites: int, batch: int, seed: int) -> FluxDataModule:
    """Return the data module of ``sites`` training towers and a few for validation."""
    rng = np.random.default_rng(seed)
    count = sites + VALIDATION
    site_id = np.array([f"S{i:05d}" for i in range(count)])

    def random() -> tuple[tuple[str, str], NDArray[np.float32]]:
        return ("site", "time"), rng.standard_normal((count, DAYS), dtype=np.float32)

    cube = xr.Dataset(
        {name: random() for name in (*DRIVERS, *FifteenDrivers.pair.targets)},
        {
            "site_id": ("site", site_id),
            "lat": ("site", rng.uniform(-60, 75, count)),
            "lon": ("site", rng.uniform(-180, 180, count)),
            "time": np.datetime64("2000-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D"),
        },
    )
    config = DataConfig(
        pair=FifteenDrivers.pair.name, quality="published", window=WindowConfig(warmup_days=0, scored_days=WINDOW)
    )
    split = Split(0, tuple(site_id[:sites].tolist()), tuple(site_id[sites:].tolist()), ())
    return FifteenDrivers(cube, np.arange(count), choose(FifteenDrivers.pair, [cube]), split, config, batch, seed)
