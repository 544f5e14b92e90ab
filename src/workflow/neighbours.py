"""Which neighbours the retrieval showed for each tested site, and what their flux is like: tables of the run folder."""

from pathlib import Path

import numpy as np
import polars as pl
import torch

from ..contracts import TrainingView
from ..datamodules.base import FluxDataModule
from ..geography import haversine_km
from ..modules.flux_module import FluxModule
from ..modules.raci import Raci
from ..retrieval.bank import Bank


def write_neighbours(data: FluxDataModule, module: FluxModule, bank: Bank, folder: Path) -> None:
    """Write ``neighbours.parquet``, who was shown to each tested site, and ``neighbour_seasons.parquet``, their flux.

    The former has one row a tested site, role, kind and neighbour: its place in the ranking, where it is and its
    weight; the latter is of ``seasons``.
    """
    table = shown_neighbours(data, module, bank)
    table.write_parquet(folder / "neighbours.parquet")
    named = set(table["neighbour_id"].to_list()) if table.height else set()
    seasons(data.view(), named, data.split.fold).write_parquet(folder / "neighbour_seasons.parquet")


def shown_neighbours(data: FluxDataModule, module: FluxModule, bank: Bank) -> pl.DataFrame:
    """Return the rows of ``neighbours.parquet``."""
    network = module.network
    assert isinstance(network, Raci) and network.retrieval is not None
    retrieval = network.retrieval.to(data.arrays.fast.device)
    site_id, lat, lon = (data.cube[name].to_numpy() for name in ("site_id", "lat", "lon"))
    tested = np.flatnonzero(data.split.members("test", site_id))
    module.eval()
    rows = []
    with torch.no_grad():
        shown = retrieval.weights(torch.from_numpy(tested).to(data.arrays.fast.device))
    for role, attention in shown.items():
        kinds = retrieval.kinds
        entry, weight = attention.entry.cpu().numpy(), attention.weight[:, :-1].cpu().numpy()
        places = entry.shape[1] // len(kinds)
        for row, place in np.argwhere(entry >= 0):
            neighbour, site = entry[row, place], tested[row]
            rows.append(
                {
                    "fold": data.split.fold,
                    "site_id": str(site_id[site]),
                    "role": role,
                    "kind": kinds[place // places],
                    "rank": int(place % places),
                    "neighbour_id": str(bank.site_id[neighbour]),
                    "neighbour_lat": float(bank.lat[neighbour]),
                    "neighbour_lon": float(bank.lon[neighbour]),
                    "distance_km": float(haversine_km(lat[site], lon[site], bank.lat[neighbour], bank.lon[neighbour])),
                    "weight": float(weight[row, place]),
                }
            )
    return pl.DataFrame(rows)


def seasons(view: TrainingView, named: set[str], fold: int) -> pl.DataFrame:
    """Mean flux of the ``named`` sites in each calendar month, in units, over the training days that ``view`` shows.

    Returns
    -------
    Rows ``fold, neighbour_id, target, month`` (1-12), ``flux, days``; a month without a known day has none.
    """
    month = view.dates.astype("datetime64[M]").astype(np.int64) % 12
    rows = []
    for site in np.flatnonzero(np.isin(view.site_id, sorted(named))):
        for place, (target, scale) in enumerate(zip(view.layout.targets, view.scales, strict=True)):
            known = view.visible.known[site, :, place]
            count = np.bincount(month[known], minlength=12)
            total = np.bincount(month[known], scale.to_units(view.target[site, known, place]), minlength=12)
            for filled in np.flatnonzero(count):
                flux = float(total[filled] / count[filled])
                rows.append((fold, str(view.site_id[site]), target, int(filled) + 1, flux, int(count[filled])))
    schema = {
        "fold": pl.Int64,
        "neighbour_id": pl.String,
        "target": pl.String,
        "month": pl.Int8,
        "flux": pl.Float32,
        "days": pl.Int32,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
