"""Which neighbours the retrieval showed for each tested site, and with what weight: a table of the run folder."""

from pathlib import Path

import numpy as np
import polars as pl
import torch

from ..datamodules.base import FluxDataModule
from ..geography import haversine_km
from ..modules.flux_module import FluxModule
from ..modules.raci import Raci
from ..retrieval.bank import Bank


def write_neighbours(data: FluxDataModule, module: FluxModule, bank: Bank, path: Path) -> None:
    """Write one row a tested site, role, kind and neighbour: its place in the ranking, where it is and its weight."""
    network = module.network
    assert isinstance(network, Raci) and network.retrieval is not None
    retrieval = network.retrieval.to(data.arrays.fast.device)
    site_id, lat, lon = (data.cube[name].to_numpy() for name in ("site_id", "lat", "lon"))
    tested = np.flatnonzero(data.split.members("test", site_id))
    module.eval()
    batch = data.arrays.gather(torch.tensor([[site, 0] for site in tested], device=data.arrays.fast.device), "test")
    rows = []
    with torch.no_grad():
        shown = retrieval.weights(batch)
    for role, attention in shown.items():
        kinds = retrieval.kinds
        entry, weight = attention.entry.cpu().numpy(), attention.weight[:, :-1].cpu().numpy()
        places = entry.shape[1] // len(kinds)
        for row, place in np.argwhere(entry >= 0):
            neighbour, site = entry[row, place], tested[row]
            rows.append(
                {
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
    pl.DataFrame(rows).write_parquet(path)
