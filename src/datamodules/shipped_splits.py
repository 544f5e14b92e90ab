"""The split files that come with raciflux, and the draws that make them again."""

from pathlib import Path

import numpy as np

from ..config.compose import compose
from ..config.schema import DataConfig
from ..geography import tower_clusters
from . import PAIRS
from .roles import scored_days
from .sources import read
from .split_draws import draw, fold_count
from .split_files import SplitFile
from .towers import Towers, describe_towers

# Gross primary production and net exchange share their splits, so a site counts where either was measured.
_FLUXNET2015 = ("experiment=fluxnet2015_gpp", "data.pair=terrestrial_carbon", "data.split.seed=0")
_FOLDS = ("data.split.folds=5",)

RECIPES: dict[str, tuple[str, ...]] = {
    "fluxnet2015_spatial_v1": (*_FLUXNET2015, "data.split.kind=spatial", *_FOLDS),
    "fluxnet2015_igbp_v1": (*_FLUXNET2015, "data.split.kind=stratified_igbp", *_FOLDS),
    "fluxnet2015_koppen_v1": (*_FLUXNET2015, "data.split.kind=stratified_koppen", *_FOLDS),
    "fluxnet2015_temperature_tail_v1": (*_FLUXNET2015, "data.split.kind=temperature_tail"),
    "fluxnet2015_temporal_v2": (*_FLUXNET2015, "data.split.kind=temporal"),
    **{
        f"fluxnet2015_sparse_{percent}_v1": (
            *_FLUXNET2015,
            "data.split.kind=spatial",
            *_FOLDS,
            f"data.split.label_share={percent / 100:g}",
        )
        for percent in (1, 5, 10, 50)
    },
    "peprmt_leave_site_out_v1": ("experiment=peprmt_ch4", "data.split.kind=leave_site_out", "data.split.seed=0"),
    "pmodel_leave_site_out_v1": ("experiment=pmodel_gpp", "data.split.kind=leave_site_out", "data.split.seed=0"),
}


def make(name: str, root: Path) -> tuple[SplitFile, Towers]:
    """Draw a shipped split from the data it was drawn from.

    Parameters
    ----------
    name : a key of ``RECIPES``.
    root : folder of the data.

    Returns
    -------
    The split, and the towers it divides.
    """
    data = compose([*RECIPES[name], "data.split.file=null", f"data.root={root}"]).data
    towers = _towers(data)
    folds = tuple(draw(data.split, fold, towers) for fold in range(fold_count(data.split, towers)))
    return SplitFile(name, RECIPES[name], data.split.cluster_km, folds), towers


def _towers(data: DataConfig) -> Towers:
    """Read the observations and keep the sites that have a labelled day; clusters are those of all sites."""
    cube = read(data.pair, data.source, Path(data.root), data.sites)
    cluster = tower_clusters(cube["lat"].to_numpy(), cube["lon"].to_numpy(), data.split.cluster_km)
    measured, _ = scored_days(cube, PAIRS[data.pair].pair.targets, data.quality)
    labelled = np.asarray(measured.any(-1))
    kept = labelled.any(1)
    return describe_towers(cube.isel(site=kept), cluster[kept], labelled[kept])
