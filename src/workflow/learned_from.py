"""What a pretraining learned from, kept beside its weights: another run, on other towers, may then take them.

Beside ``best.ckpt`` stand the scales that the weights read and answer in, and the simulated places that they know. By
the first a run puts its towers before the network as the simulation was; by the second it refuses a pretraining that
has been near a tower it tests (docs/architecture.md, rule 6), without the simulation at hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xarray as xr

from ..atomic import replacing
from ..config.schema import Config
from ..config.trainings import emulator_config, has_emulator
from ..datamodules import PAIRS
from ..datamodules.base import FluxDataModule
from ..datamodules.cube import cell_size
from ..datamodules.roles import Roles, choose
from ..datamodules.scaling import Scaler
from ..datamodules.splits import away_from
from ..errors import UserError
from ..json_strict import read_object
from .left_out import Places
from .stages import StageFolder

STAGE, RECORD = "pretrain", "pretraining.json"
SCALER, PLACES = "scaler.yaml", "places.parquet"


@dataclass(frozen=True)
class LearnedFrom:
    """Scales of a pretraining, and the places that it trained and stopped on.

    Attributes
    ----------
    scaler : of the simulation.
    places : ``site_id, lat, lon, height, width``, degrees; the latter two are null where the places are no cells.
    """

    scaler: Scaler
    places: pl.DataFrame

    @classmethod
    def of(cls, data: FluxDataModule) -> "LearnedFrom":
        """Describe what a stage on the simulation is about to learn from."""
        cube = data.cube
        met = data.split.members("train", cube["site_id"].to_numpy())
        met |= data.split.members("validation", cube["site_id"].to_numpy())
        columns: dict[str, Any] = {name: cube[name].to_numpy()[met] for name in ("site_id", "lat", "lon")}
        size = cell_size(cube)
        columns |= {
            name: None if size is None else size[axis][met].astype(np.float64)
            for axis, name in enumerate(("height", "width"))
        }
        return cls(data.scaler, pl.DataFrame(columns))

    def save(self, folder: Path) -> None:
        """Write both files into the folder of a stage's checkpoints."""
        self.scaler.save(folder / SCALER)
        with replacing(folder / PLACES) as partial:
            self.places.write_parquet(partial)

    @classmethod
    def load(cls, folder: Path) -> "LearnedFrom":
        """Read what `save` wrote.

        Raises
        ------
        UserError
            If a file is missing or damaged.
        """
        scaler, path = Scaler.load(folder / SCALER), folder / PLACES
        try:
            places = pl.read_parquet(path).select("site_id", "lat", "lon", "height", "width")
        except (OSError, pl.exceptions.PolarsError) as error:
            why = " ".join(str(error).split())[:120]
            raise UserError(f"{path}: no readable places ({why}); make the pretraining again") from error
        return cls(scaler, places)

    def refuse_near(self, config: Config, tested: Places) -> None:
        """Refuse weights that know a place within ``data.split.cluster_km`` of a tested one, or the cell that holds it.

        Raises
        ------
        UserError
            If there is one; the message names it.
        """
        km = config.data.split.cluster_km
        own_lat, own_lon = (self.places[name].to_numpy() for name in ("lat", "lon"))
        sized = self.places["height"].null_count() == 0
        size = (self.places["height"].to_numpy(), self.places["width"].to_numpy()) if sized else None
        near = ~away_from(own_lat, own_lon, *tested, km, size)
        if near.any():
            first = self.places.filter(pl.Series(near)).row(0, named=True)
            raise UserError(
                f"transfer.pretrained={config.transfer.pretrained}: learned from {near.sum()} simulated places within "
                f"{km:g} km of a tested tower, first {first['site_id']} ({first['lat']:.2f}, {first['lon']:.2f}); "
                "test other towers, or pretrain again with these in transfer.leave_out_near"
            )

    def roles(self, config: Config, towers: xr.Dataset) -> Roles:
        """Return the variables that the weights know, all of which the towers must have.

        Raises
        ------
        UserError
            If a target, its transform or an input differs; the message names it.
        """
        named, known = f"transfer.pretrained={config.transfer.pretrained}", self.scaler.roles
        offered = choose(PAIRS[config.data.pair].pair, [towers], config.data.drop_inputs)
        if known.targets != offered.targets:
            raise UserError(
                f"{named}: learned {', '.join(known.targets)}, and data.pair={config.data.pair} predicts "
                f"{', '.join(offered.targets)}; take the pair that it was made for"
            )
        bent = self.scaler.targets[0].asinh_at
        if bent != config.data.asinh_at:
            said = "null" if bent is None else f"{bent:g}"
            raise UserError(f"{named}: was made with data.asinh_at={said}; take the same here")
        inputs = {*offered.fast, *offered.static, *offered.classes}
        missing = [name for name in known.fast + known.static + known.classes if name not in inputs]
        if missing:
            raise UserError(
                f"{named}: reads {', '.join(missing)}, which the observations lack or data.drop_inputs leaves out; "
                "map columns to them, or take a pretraining without"
            )
        return known


def named_pretraining(config: Config) -> tuple[Path, Mapping[str, Any]]:
    """Return the folder that ``transfer.pretrained`` names and its record, of a finished pretraining of this network.

    Raises
    ------
    UserError
        If there is none, or it is of another network, or scaled by towers of its own.
    """
    folder = Path(str(config.transfer.pretrained))
    named = f"transfer.pretrained={folder}"
    if not (folder / RECORD).is_file():
        inside = sorted(str(path.parent) for path in folder.glob("*/" + RECORD))
        instead = f"take {' or '.join(inside[:3])}" if inside else "take output/pretrained/ID, or a fold of its run"
        raise UserError(f"{named}: no {RECORD} there, so it is no pretraining; {instead}")
    if not StageFolder(folder, STAGE).finished.is_file():
        raise UserError(f"{named}: is not finished; go on with its run by resume=RUN first")
    record = read_object(folder / RECORD, ("model", "scaled_by"), "make the pretraining again")
    of, network = record.get("model"), emulator_config(config) if has_emulator(config) else config
    name = of.get("name") if isinstance(of, Mapping) else None
    if name != network.model.name:
        raise UserError(f"{named}: is of the network {name}, and this run needs one of {network.model.name}")
    if record.get("scaled_by") == "towers":
        raise UserError(
            f"{named}: its inputs were scaled by the towers of its own run (transfer.inputs=towers), which may be "
            "tested here; make it with transfer.inputs=simulation"
        )
    return folder, record
