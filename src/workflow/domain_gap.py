"""Whether simulation and towers look alike to a network, before it is trained on the towers alone and after that.

Embeddings of a few hundred windows of each domain are compared (``transfer/domain_gap.py``): of training towers and of
the simulated places that were trained on, so no tested tower is looked at. No flux of theirs enters.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.utilities import move_data_to_device
from numpy.typing import NDArray
from torch import nn

from ..atomic import write_text
from ..config.schema import Config
from ..contracts import Batch
from ..datamodules.base import FluxDataModule
from ..datamodules.windows import tiling
from ..modules.checkpoints import network_weights
from ..modules.flux_module import FluxModule
from ..transfer.domain_gap import proxy_a_distance, squared_discrepancy
from ..transfer.embeddings import embeddings_of
from .progress import RunProgress
from .stages import accelerator
from .tracking import TrackedTraining

RECORD, MOMENTS = "domain_gap.json", ("before", "after")
WINDOWS, AT_ONCE = 200, 50  # of each domain, which take seconds on a processor; and in a batch


@dataclass(frozen=True)
class Sample:
    """Windows of one domain, cut out so that its cube need not be kept.

    Attributes
    ----------
    batches : of at most ``AT_ONCE`` windows, without any flux.
    place : (window,) cluster that each lies in.
    """

    batches: list[Batch]
    place: NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """What the towers are held against.

    Attributes
    ----------
    simulated : windows of the simulation.
    before : checkpoint that the training on the towers started from; None where both domains were trained on at once.
    """

    simulated: Sample
    before: Path | None


def sample(data: FluxDataModule, seed: int) -> Sample:
    """Draw up to ``WINDOWS`` windows of the training days; global random numbers are left alone."""
    sites = len(data.train_sites)
    index = tiling(torch.from_numpy(data.training_days), data.window, torch.zeros(sites, dtype=torch.int64))
    drawn = torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))[:WINDOWS]
    index = index[drawn]
    on_device = index.to(data.arrays.fast.device)
    batches = [data.arrays.gather(part, "test") for part in torch.split(on_device, AT_ONCE)]
    return Sample(batches, data.cluster[index[:, 0].numpy()])


def tell_domain_gap(
    config: Config,
    module: FluxModule,
    data: FluxDataModule,
    compared: Comparison,
    folder: Path,
    progress: RunProgress,
    tracked: TrackedTraining,
) -> None:
    """Measure the gap once into the folder of a fold, and say it.

    Parameters
    ----------
    module : trained on the towers.
    data : the towers.
    """
    record = folder / RECORD
    if not record.exists():
        progress.now(f"{config.model.name} domain gap")
        write_text(json.dumps(_measured(config, module, data, compared), indent=1) + "\n", record)
    said = json.loads(record.read_text())
    gaps = {when: said[when]["a_distance"] for when in MOMENTS if said[when] is not None}
    known = {when: gap for when, gap in gaps.items() if gap is not None}
    if known:
        told = " and ".join(f"{gap:.2f} {when}" for when, gap in known.items())
        what = f"{config.model.name}: domain gap, 0 where alike and 2 where told apart"
        progress.say(f"  {what}: {told} the training on the towers")
    tracked.domain_gap(known)


def _measured(config: Config, module: FluxModule, data: FluxDataModule, compared: Comparison) -> dict[str, Any]:
    towers, device = sample(data, config.seed), torch.device(accelerator(config))
    module.to(device).eval()
    after = _gap(module, towers, compared.simulated, device)
    before = None
    if compared.before is not None:
        with weights_of(module.network, compared.before):
            before = _gap(module, towers, compared.simulated, device)
    windows = {"towers": len(towers.place), "simulation": len(compared.simulated.place)}
    return {"technique": config.transfer.name, "windows": windows, "before": before, "after": after}


def _gap(module: FluxModule, towers: Sample, simulated: Sample, device: torch.device) -> dict[str, float | None]:
    """Return both measures of the gap; towers are embedded as they are predicted, simulated places as elsewhere."""
    of_towers = _embedded(module, towers, device)
    with module.elsewhere():
        of_simulation = _embedded(module, simulated, device)
    return {
        "a_distance": proxy_a_distance(of_towers, of_simulation, towers.place, simulated.place),
        "squared_discrepancy": squared_discrepancy(of_towers, of_simulation),
    }


def _embedded(module: FluxModule, windows: Sample, device: torch.device) -> NDArray[np.float64]:
    """Return the embeddings (window, hidden) of a sample."""
    with torch.no_grad(), embeddings_of(module) as embedded:
        for batch in windows.batches:
            module.network(move_data_to_device(batch, device))
    return torch.cat(embedded).double().cpu().numpy()


@contextmanager
def weights_of(network: nn.Module, checkpoint: Path) -> Iterator[None]:
    """Let a network have the weights of a checkpoint for as long as this lasts, and its own again after that."""
    own = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(network_weights(checkpoint))
    try:
        yield
    finally:
        network.load_state_dict(own)
