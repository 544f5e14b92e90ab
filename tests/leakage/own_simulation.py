"""Rule 6 where the simulation runs on the towers themselves: no tested place is pretrained on, no flux is in it."""

import numpy as np
import pytest
import xarray as xr
from raciflux.config.sources import LightUseSource
from raciflux.datamodules.sources import light_use, read_simulation
from raciflux.variables import DRIVERS as HOUSE_DRIVERS

from worlds import poisoned

from .pretraining import near_cells_kept, pretrained_from
from .world import DRIVERS, FLUX, PAIR, Leak, demand_awake, demand_still, split_of, towers


def run_of(cube: xr.Dataset) -> xr.Dataset:
    """The simulation on a cube that has the lowest temperature of each day as well."""
    return read_simulation(PAIR, LightUseSource(), None, cube.assign(TA_MIN=cube["TA"] - 4.0))


def variables(cube: xr.Dataset) -> dict[str, object]:
    """Every array of a cube by name, and what is said of it."""
    return {str(name): values.to_numpy() for name, values in cube.variables.items()} | {"attributes": repr(cube.attrs)}


def check_own_simulation() -> None:
    """Absurd fluxes at all towers move nothing; absurd simulated ones where a test cluster stands reach no training."""
    cube, split = towers(), split_of("unseen")
    everywhere = np.ones((cube.sizes["site"], cube.sizes["time"]), bool)
    simulated = run_of(cube)
    demand_still(variables(simulated), variables(run_of(poisoned(cube, everywhere, FLUX))))
    demand_awake({"GPP": simulated["GPP"].to_numpy()}, variables(run_of(poisoned(cube, everywhere, ["SW"]))))

    tested = np.isin(cube["site_id"].to_numpy(), split.test)
    assert tested.any() and not tested.all()
    before, spoilt = pretrained_from(simulated, split), (*DRIVERS, "GPP")
    demand_still(before, pretrained_from(poisoned(simulated, everywhere & tested[:, None], spoilt), split))
    demand_awake(before, pretrained_from(poisoned(simulated, everywhere & ~tested[:, None], spoilt), split))


def measured_flux_in_the_simulation(patch: pytest.MonkeyPatch) -> None:
    """Production that is scaled to what was measured at each tower."""
    simulate = light_use._simulated

    def fitted(cube: xr.Dataset, igbp: list[str]) -> np.ndarray:
        return simulate(cube, igbp) * np.nanmean(cube["GPP"].to_numpy(), axis=1, keepdims=True)

    patch.setattr(light_use, "_simulated", fitted)


def quality_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(light_use, "DRIVERS", {**HOUSE_DRIVERS, "GPP_qc": None})


OWN_SIMULATION = {
    "the places of a test kept": Leak(near_cells_kept, "^moved: .*training batches"),
    "a simulation fitted to the measured flux": Leak(measured_flux_in_the_simulation, "^moved: GPP"),
    "the flux's quality left in the simulation": Leak(quality_kept, "^moved: GPP_qc"),
}
