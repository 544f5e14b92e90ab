"""What a network that has only seen the simulation says of places: what trees beside it are told of process models.

Trees cannot be fine-tuned as a network is. Told what the process model would answer, they learn where towers depart
from it. No measured flux enters: neighbours are hidden, own days too.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..config.schema import Config
from ..contracts import TrainingView
from ..datamodules.base import FluxDataModule
from ..datamodules.windows import lay, tiling
from ..modules.checkpoints import load_into
from ..modules.raci import Raci
from ..retrieval.bank import Bank
from .stages import StageFolder, accelerator, build_module, hidden_neighbours

Floats = NDArray[np.float32]


def simulated_flux(
    config: Config, data: FluxDataModule, fold: Path, bank: Bank | None, elsewhere: TrainingView | None = None
) -> Floats | None:
    """Return what the pretrained network of a fold says of every site of ``data`` (site, day, target), scaled.

    NaN where no driver is known; None where nothing was pretrained.

    Parameters
    ----------
    bank, elsewhere : as ``build_module`` takes them. The bank is not looked at.

    Raises
    ------
    UserError
        If the checkpoint is damaged.
    """
    checkpoint = StageFolder(fold, "pretrain").checkpoints / "best.ckpt"
    if not checkpoint.exists():
        return None
    module = build_module(config, config.transfer.pretrain, data, bank, elsewhere)
    load_into(module, checkpoint)
    device = torch.device(accelerator(config))
    network, arrays = module.to(device).eval().network, data.arrays.to(device)
    assert isinstance(network, Raci)
    warmup = data.window.warmup
    said = np.full((*data.predictable.shape, len(data.roles.targets)), np.nan, np.float32)
    with torch.no_grad(), hidden_neighbours(module):
        for site, days in enumerate(data.predictable):
            index = tiling(torch.from_numpy(days[None]), data.window, torch.zeros(1, dtype=torch.int64))
            if not len(index):
                continue
            index[:, 0] = site
            batch = arrays.gather(index.to(device), "test")
            mean = network.output.mean(network.alone(batch)[0])[:, warmup:]
            lay(mean.float().cpu().numpy(), (batch["day"] + warmup).tolist(), said[site])
    return np.where(data.predictable[..., None], said, np.float32(np.nan))
