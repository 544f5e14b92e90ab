"""Whose scales a fine-tuned network has: what it reads of the towers, and what its answers mean in units."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.datamodules.base import FluxDataModule
from raciflux.workflow.prepare import simulation_data
from two_domains import CONFIG, prepared_of, simulated_cube, transferred

from worlds import STAGE, tiny_cube, tiny_split

WARMER = 6.0  # K, the simulation's weather above the towers'
HELD = replace(STAGE, learning_rate=1e-12)  # the network answers as it was pretrained


def warmer_simulation() -> xr.Dataset:
    cube = simulated_cube()
    return cube.assign(TA=2.0 * cube["TA"] + WARMER)


def read_of_air_temperature(data: FluxDataModule) -> np.ndarray:
    """Mean and standard deviation of what a network reads of it, over all days of the training sites."""
    view = data.view()
    values = view.fast[data.train_sites][..., view.layout.fast.index("TA")]
    return np.array([np.nanmean(values), np.nanstd(values)])


@pytest.mark.parametrize("inputs", ["simulation", "towers", "refitted"])
def test_inputs_have_the_scale_that_was_chosen(tmp_path: Path, inputs: str) -> None:
    towers, simulation = tiny_cube(), warmer_simulation()
    config = replace(CONFIG, transfer=replace(CONFIG.transfer, inputs=inputs))
    of_simulation = simulation_data(config, prepared_of(towers, simulation), tiny_split(towers))
    of_towers = transferred(tmp_path / "run", towers, simulation, inputs=inputs).data
    own = np.array([0.0, 1.0])
    scaled_by_own = {
        name: np.allclose(read_of_air_temperature(data), own, atol=0.02)
        for name, data in (("simulation", of_simulation), ("towers", of_towers))
    }
    assert scaled_by_own == {"simulation": inputs != "towers", "towers": inputs != "simulation"}
    same = of_simulation.scaler.inputs["TA"] == of_towers.scaler.inputs["TA"]
    assert same == (inputs != "refitted"), "but for refitted, a degree is a degree in both"


def test_a_flux_of_the_simulation_is_taken_at_its_word_or_moved_to_the_observed_mean(tmp_path: Path) -> None:
    """The simulated flux lies 5 gC m-2 d-1 above the observed one, and one that has hardly learned says a mean."""
    said, towers = {}, tiny_cube()
    for align in ("moments", "units"):
        learned = transferred(tmp_path / align, towers, align=align, finetune=HELD)
        said[align] = np.nanmean(learned.predicted.flux)
        simulated = float(simulated_cube()["GPP"].mean())
        observed = learned.data.scaler.targets[0].spread
        assert observed == pytest.approx(np.nanstd(towers["GPP"].to_numpy()), rel=0.1)
    trained = towers["GPP"].to_numpy()
    assert said["moments"] == pytest.approx(np.nanmean(trained), abs=1.0)
    assert said["units"] == pytest.approx(simulated, abs=1.0)
