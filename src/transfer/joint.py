"""Training on both domains at once: mixed, re-weighted and adversarial (X-MethaneWet, arXiv 2505.18355, section 4).

What the paper's code gets wrong is right here: the gradient of the discriminator is reversed and the discriminator is
trained; each simulated sample has a weight of its own, inside the mean. ``paper_compat`` keeps what was published.
"""

import math
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor, nn

from ..modules.flux_module import DomainLoss, Domains, FluxModule
from ..modules.losses import among_ranks
from .embeddings import embeddings_of


class JointTraining(Callback):
    """Give a module the loss of both domains before its optimiser is made, and tell that loss how far training is.

    Parameters
    ----------
    loss : of a technique.
    """

    def __init__(self, loss: DomainLoss) -> None:
        self.loss = loss

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Attach the loss; what it trains itself goes into optimiser and checkpoints."""
        assert isinstance(pl_module, FluxModule)
        pl_module.domains = self.loss.to(pl_module.device)

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """Tell the share of the training that is done, which depends on the step alone."""
        self.loss.done = trainer.global_step / max(1, trainer.max_steps)


class Mixed(DomainLoss):
    """The loss of the towers and that of the simulation; the network is told by an input which one it sees.

    Parameters
    ----------
    weight : of the simulation's loss.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, module: FluxModule, batch: Domains) -> Tensor:
        """Return the sum."""
        towers = module.loss_of(batch["towers"], module.loss)
        return towers + self.weight * module.loss_elsewhere(batch["simulation"], module.loss)


class Reweighted(DomainLoss):
    """Simulated windows count by how like the towers their place is; the towers count ever more.

    The loss is ``done * towers + (1 - done) * simulation``, with ``done`` the share of the training that is over.

    Parameters
    ----------
    weights : (site,) of each place of the simulation; see ``similarity_weights``.
    """

    weights: Tensor  # (site,)

    def __init__(self, weights: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("weights", torch.from_numpy(weights).float(), persistent=False)

    def forward(self, module: FluxModule, batch: Domains) -> Tensor:
        """Return the mean of both, as far as training is."""
        of_sample = self.weights[batch["simulation"]["site"]]

        def weighted(read: Tensor, target: Tensor, mask: Tensor) -> Tensor:
            """Mean over samples (batch,) of their losses, by weight and number of values that count."""
            read = module.closed(read)
            each = [module.output.loss(read[[i]], target[[i]], mask[[i]]) for i in range(len(read))]
            share = of_sample * mask.flatten(1).sum(1)
            return among_ranks((torch.stack(each) * share).sum() / share.sum().clamp(min=1e-12), share.sum())

        towers = module.loss_of(batch["towers"], module.loss)
        simulated = module.loss_elsewhere(batch["simulation"], weighted)
        return self.done * towers + (1.0 - self.done) * simulated


class Adversarial(DomainLoss):
    """The network learns both domains and to encode days so that a discriminator cannot tell the domains apart.

    Domain-adversarial training (Ganin et al. 2016, arXiv 1505.07818): the discriminator learns to tell windows by the
    mean of their encoded days, which the head is given; its gradient reaches the encoders with its sign reversed, by a
    share that grows from 0 to ``weight`` as ``2 / (1 + exp(-10 done)) - 1``. The fluxes' losses are weighed as by
    ``Reweighted``, all samples alike.

    Parameters
    ----------
    weight : of the reversed gradient.
    hidden : width of the encoded days, and of the discriminator.
    """

    def __init__(self, weight: float, hidden: int) -> None:
        super().__init__()
        self.weight = weight
        self.discriminator = discriminator(hidden)

    def forward(self, module: FluxModule, batch: Domains) -> Tensor:
        """Return the losses of both domains and of the discriminator."""
        with embeddings_of(module) as of_towers:
            towers = module.loss_of(batch["towers"], module.loss)
        with embeddings_of(module) as of_simulation:
            simulated = module.loss_elsewhere(batch["simulation"], module.loss)
        strength = self.weight * (2.0 / (1.0 + math.exp(-10.0 * self.done)) - 1.0)
        told = self.discriminator(reverse_gradient(torch.cat([*of_towers, *of_simulation]), strength))[:, 0]
        is_tower = torch.cat([torch.ones(sum(map(len, of_towers))), torch.zeros(sum(map(len, of_simulation)))])
        passes = [batch["towers"]] * len(of_towers) + [batch["simulation"]] * len(of_simulation)
        # not a window that is given to a rank without any
        counted = torch.cat([of["target_mask"].any((1, 2)) for of in passes])
        told, is_tower = told[counted], is_tower.to(told)[counted]
        mistaken = _mean_of_ranks(nn.functional.binary_cross_entropy_with_logits(told, is_tower, reduction="none"))
        right = _mean_of_ranks(((told > 0) == is_tower.bool()).float())
        logged = {"train/discriminator": mistaken, "train/domain_told": right}
        module.log_dict(logged, batch_size=len(is_tower), sync_dist=True)
        return self.done * towers + (1.0 - self.done) * simulated + mistaken


def discriminator(hidden: int) -> nn.Module:
    """Return what maps encoded days (..., hidden) to the log-odds (..., 1) of a domain."""
    return nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def _mean_of_ranks(values: Tensor) -> Tensor:
    """Mean of values (window,), so weighted that the average over ranks is that of the values of all."""
    return among_ranks(values.sum() / max(1, len(values)), values.new_tensor(len(values)))


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, strength: float) -> Tensor:  # noqa: ANN401  torch's signature
        ctx.strength = strength
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401  torch's signature
        return -ctx.strength * gradients[0], None


def reverse_gradient(value: Tensor, strength: float) -> Tensor:
    """Return ``value`` unchanged; its gradient is multiplied by ``-strength``."""
    reversed_: Tensor = _Reverse.apply(value, strength)  # type: ignore[no-untyped-call]  # torch has no types for it
    return reversed_
