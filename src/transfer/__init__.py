"""From simulation to observations: callbacks that carry weights over."""

from .finetune import FineTune

__all__ = ["FineTune"]
