"""L2-SP: fine-tuning that stays near the pretrained weights."""

from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from ..modules.checkpoints import network_weights
from ..modules.flux_module import FluxModule


class L2SP(Callback):
    """Add ``weight / 2 * |w - w0|^2`` over the loaded weights to the training loss (Li et al. 2018, arXiv 1802.01483).

    The starting point is read from the pretraining's checkpoint, so a resumed training is held to the same one. Weights
    that the checkpoint lacks are held to nothing.

    Parameters
    ----------
    checkpoint : of the pretraining.
    weight : of the penalty.
    """

    def __init__(self, checkpoint: Path, weight: float) -> None:
        self.checkpoint, self.weight = checkpoint, weight

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Hold the network, which is on its device by now, to what it was loaded with."""
        assert isinstance(pl_module, FluxModule)
        start = {name: value.to(pl_module.device) for name, value in network_weights(self.checkpoint).items()}
        pl_module.penalties["l2_sp"] = lambda: 0.5 * self.weight * _distance(pl_module.network, start)


def _distance(network: nn.Module, start: dict[str, Tensor]) -> Tensor:
    """Squared distance of the trained weights from where they started."""
    squares = [
        (parameter - start[name]).square().sum()
        for name, parameter in network.named_parameters()
        if name in start and parameter.requires_grad
    ]
    return torch.stack(squares).sum()
