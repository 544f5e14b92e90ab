"""From simulation to observations: callbacks that carry weights over."""

from pathlib import Path

from lightning.pytorch.callbacks import Callback

from ..config.transfer import TransferConfig
from ..config.transfer_checks import numbers_of_parts
from .finetune import FineTune
from .joint import JointTraining
from .l2_sp import L2SP
from .thaw import Thaw

__all__ = ["L2SP", "FineTune", "JointTraining", "Thaw", "fine_tuning"]


def fine_tuning(transfer: TransferConfig, checkpoint: Path, record: Path) -> list[Callback]:
    """Return the callbacks of a training that starts from a pretraining's weights.

    Parameters
    ----------
    checkpoint : of the pretraining.
    record : JSON file that will say what became of every tensor.
    """
    callbacks: list[Callback] = [
        FineTune(checkpoint, transfer.freeze, record, numbers_of_parts(transfer, "rates"), transfer.pretrained),
    ]
    if transfer.thaw:
        callbacks.append(Thaw(numbers_of_parts(transfer, "thaw")))
    if transfer.l2_sp:
        callbacks.append(L2SP(checkpoint, transfer.l2_sp))
    return callbacks
