"""Pretrain, then fine-tune: the weights of a network trained on simulation start the training on towers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from ..atomic import write_text
from ..errors import UserError
from ..modules.checkpoints import network_weights
from ..modules.flux_module import FluxModule


class FineTune(Callback):
    """Load pretrained weights into the network before training starts, and keep the named parts as they came.

    Only the network travels: the target's scale factors stay those of the observations, and the retrieval bank, which
    is data and not weights, is the observations' own.

    Parameters
    ----------
    checkpoint : checkpoint of the pretraining stage.
    freeze : parts of the network (``slow_encoder``, ``fast_encoder``, ``retrieval``, ``head``) that are not trained.
    rates : learning rates of parts, as shares of the stage's (Howard and Ruder 2018, arXiv 1801.06146).
    record : JSON file that will say, tensor by tensor, what was loaded, frozen or left as initialised.
    taken_from : folder of the pretraining, where a user named one, for the record.

    Raises
    ------
    UserError
        If no tensor matches, if the checkpoint holds tensors the network has no place for, if a part does not exist, or
        if every part is frozen.
    """

    def __init__(
        self,
        checkpoint: Path,
        freeze: Sequence[str],
        record: Path,
        rates: Mapping[str, float] | None = None,
        taken_from: str | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.freeze = tuple(freeze)
        self.rates = dict(rates or {})
        self.record = record
        self.taken_from = taken_from

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Load and freeze before the optimiser is made; a resumed run's own weights are restored after this."""
        network = pl_module.network
        assert isinstance(network, nn.Module)
        own = network.state_dict()
        pretrained = network_weights(self.checkpoint)
        matching = {name: value for name, value in pretrained.items() if _fits(own, name, value)}
        unexpected = sorted(set(pretrained) - set(matching))
        if not matching or unexpected:
            what = f"{len(unexpected)} tensors do not fit, first {unexpected[0]}" if unexpected else "no tensor fits"
            raise UserError(f"{self.checkpoint}: {what}; pretrain and fine-tune need the same model and inputs")
        network.load_state_dict(matching, strict=False)
        frozen = self._freeze(network)
        assert isinstance(pl_module, FluxModule)
        pl_module.rates = self.rates
        random = sorted(frozen - set(matching))
        if random:
            raise UserError(f"transfer.freeze: {self.checkpoint} has no {random[0]}, which would stay random; train it")
        fate = {name: "frozen" if name in frozen else "loaded" if name in matching else "initialised" for name in own}
        if trainer.is_global_zero:
            said = {"checkpoint": self.checkpoint.name, "taken_from": self.taken_from, "tensors": fate}
            write_text(json.dumps(said, indent=1) + "\n", self.record)

    def _freeze(self, network: nn.Module) -> set[str]:
        parts = dict(network.named_children())
        for part in self.freeze:
            if part not in parts:
                raise UserError(f"transfer.freeze: {part!r} is no part of this model; its parts: {', '.join(parts)}")
            parts[part].requires_grad_(False)
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise UserError("transfer.freeze: every part is frozen, so nothing is left to fine-tune; leave one out")
        return {name for name, _ in network.named_parameters() if name.split(".")[0] in self.freeze}


def _fits(own: dict[str, Tensor], name: str, value: Tensor) -> bool:
    return name in own and own[name].shape == value.shape
