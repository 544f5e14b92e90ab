"""X-MethaneWet's losses of both domains with the faults of the code published beside the paper (arXiv 2505.18355).

For reproducing its numbers and for nothing else: chosen only under ``paper_compat=true``. The corrected forms stand in
``joint``. Each loss is ``done * towers + (1 - done) * simulation``, with ``done`` the share of the training that is
over.
"""

import torch
from torch import Tensor, nn

from ..contracts import Batch
from ..modules.flux_module import DomainLoss, Domains, FluxModule
from .embeddings import encoded_days
from .joint import discriminator

MEAN_GAP = 50.0  # nmol m-2 s-1, in which the published towers' methane is
SPREAD_GAP = 0.05  # of the standard deviation over the range


class PublishedReweighted(DomainLoss):
    """Simulated windows have weights, and all of them multiply one and the same loss.

    Fault: the windows' losses are averaged before they meet the weights, so a window that is like a tower's teaches no
    more than any other. Fault: the products are summed, so the simulation outweighs the towers by up to the number of
    its windows. Fault: a window is compared with the few towers of its batch, by the product of two gaps, so that equal
    means make any spread alike.

    Parameters
    ----------
    sharpness : weights are ``(1 + distance)^-sharpness``; published with 5.
    """

    def __init__(self, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness

    def forward(self, module: FluxModule, batch: Domains) -> Tensor:
        """Return the sum of both, as far as training is."""
        towers = module.loss_of(batch["towers"], module.loss)
        averaged = module.loss_elsewhere(batch["simulation"], module.loss)
        return self.done * towers + (1.0 - self.done) * (self.weights(module, batch) * averaged).sum()

    def weights(self, module: FluxModule, batch: Domains) -> Tensor:
        """Return the weight of each simulated window (batch,); 0 where it or all towers show too few days."""
        mean, spread = _moments(module, batch["simulation"])
        mean_of_towers, spread_of_towers = _moments(module, batch["towers"])
        mean_gap = (mean[:, None] - mean_of_towers).abs() / MEAN_GAP  # (simulated window, tower window, target)
        spread_gap = (spread[:, None] - spread_of_towers).abs() / SPREAD_GAP
        distance = (mean_gap * spread_gap).mean(-1)
        nearest = distance.nan_to_num(nan=torch.inf).amin(1)
        weights: Tensor = (1.0 + nearest) ** -self.sharpness
        return weights


class PublishedAdversarial(DomainLoss):
    """The network learns to encode days so that a discriminator that learns nothing can tell the domains apart.

    Fault: no gradient is reversed, so encoders and discriminator want the same. Fault: the discriminator is not in the
    optimiser, so it keeps the weights that it was drawn with. Each day is told by itself.

    Parameters
    ----------
    hidden : width of the encoded days, and of the discriminator.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        # part of the checkpoints, and passed by gradients on their way to the encoders
        self.discriminator = discriminator(hidden).requires_grad_(False)

    def forward(self, module: FluxModule, batch: Domains) -> Tensor:
        """Return the losses of both domains and of the discriminator, which ends with the simulation's."""
        with encoded_days(module) as of_towers:
            towers = module.loss_of(batch["towers"], module.loss)
        with encoded_days(module) as of_simulation:
            simulated = module.loss_elsewhere(batch["simulation"], module.loss)
        mistaken = self._mistaken(of_simulation, 1.0) + self._mistaken(of_towers, 0.0)
        module.log("train/discriminator", mistaken, batch_size=len(batch["towers"]["site"]))
        return self.done * towers + (1.0 - self.done) * (simulated + mistaken)

    def _mistaken(self, days: list[Tensor], is_simulated: float) -> Tensor:
        told = self.discriminator(torch.cat(days))
        return nn.functional.binary_cross_entropy_with_logits(told, torch.full_like(told, is_simulated))


def _moments(module: FluxModule, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean of each window's labels, in units, and their standard deviation over their range, both (batch, target).

    NaN of a window with fewer than two different labels.
    """
    counts, flux = batch["target_mask"].bool(), module.in_units(batch["target"])
    known = flux.masked_fill(~counts, torch.nan)
    mean = known.nanmean(1)
    variance = (known - mean[:, None]).square().nansum(1) / (counts.sum(1) - 1)
    span = flux.masked_fill(~counts, -torch.inf).amax(1) - flux.masked_fill(~counts, torch.inf).amin(1)
    return mean, variance.sqrt() / span
