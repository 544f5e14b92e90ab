"""A small embedded world whose true fluxes are known, and the same world under other weather."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from raciflux.config.schema import DataConfig, SplitConfig, WindowConfig
from raciflux.config.sources import EmbeddedSource
from raciflux.datamodules import PAIRS
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.roles import choose
from raciflux.datamodules.split_draws import draw
from raciflux.datamodules.towers import describe_towers
from raciflux.simulation import crops
from raciflux.simulation.ecosystems import Setting, cropland_truth, wetland_truth
from raciflux.simulation.hidden import Hidden, WorldParameters
from raciflux.simulation.world import ECOSYSTEMS, embedded_cube, recorded, setting
from raciflux.variables import EXPECTED_SUFFIX

from worlds import clusters

SOURCE = EmbeddedSource(places=18, years=2, seed=1)
ROUND = WindowConfig(warmup_days=30, scored_days=210, block_days=30, history_blocks=3)


def embedded_data(pair: str, times: float = 1.0) -> FluxDataModule:
    """Towers of the embedded world, what they measured ``times`` over.

    Those of ``terrestrial_carbon`` are croplands, their RECO not among the targets.
    """
    cube = embedded_cube("carbon_balance" if pair == "terrestrial_carbon" else pair, SOURCE)
    build, targets = PAIRS[pair], PAIRS[pair].pair.targets
    cube = cube.assign({name: times * cube[name] for name in targets})
    labelled = cube[targets[0]].transpose("site", "time").notnull().to_numpy()
    split = draw(SplitConfig(folds=3), 0, describe_towers(cube, clusters(cube), labelled))
    config = DataConfig(pair=pair, window=ROUND)
    return build(cube, clusters(cube), choose(build.pair, [cube]), split, config, 16, 0)


def truth_of(data: FluxDataModule) -> NDArray[np.float32]:
    """Fluxes (site, day, target) without observation error."""
    names = [name + EXPECTED_SUFFIX for name in data.roles.targets]
    return np.stack([data.cube[name].transpose("site", "time").to_numpy() for name in names], -1)


@dataclass(frozen=True)
class TrueWorld:
    """The process model behind the towers of a pair, to be asked what it does under other weather."""

    pair: str
    at: Setting
    hidden: Hidden

    @classmethod
    def of(cls, pair: str, cube: xr.Dataset) -> "TrueWorld":
        lat, lon = cube["lat"].to_numpy(), cube["lon"].to_numpy()
        kind = ECOSYSTEMS["carbon_balance" if pair == "terrestrial_carbon" else pair]
        at = setting(kind, SOURCE, lat, lon)
        return cls(pair, at, Hidden(SOURCE.seed, lat, lon, WorldParameters.of(SOURCE)))

    def fluxes(
        self, targets: tuple[str, ...], by: dict[str, NDArray[np.float64]], patch: pytest.MonkeyPatch
    ) -> NDArray[np.float64]:
        """True fluxes (site, day, target) with weather raised ``by`` (site, day) in its units; farmers do as before."""
        kept = recorded(SOURCE)
        weather = self.at.weather
        raised = {name: getattr(weather, name).copy() for name in by}
        for name, step in by.items():
            raised[name][:, kept] += step
        other = replace(self.at, weather=replace(weather, **raised))
        if self.pair == "wetland_ch4":
            return wetland_truth(other, self.hidden)[:, kept, None]
        season = cropland_truth(self.at, self.hidden).season
        with patch.context() as held:
            held.setattr(crops, "grow", lambda *_, **__: season)
            field = cropland_truth(other, self.hidden)
        of_name = {"GPP": field.gpp, "RECO": field.reco, "NEE": field.reco - field.gpp}
        return np.stack([of_name[name][:, kept] for name in targets], -1)
