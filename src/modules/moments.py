"""A head that says a site's level and spread apart from its dynamics."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..config.schema import HeadConfig
from ..contracts import Batch, Layout
from ..errors import UserError
from .heads import FluxHead
from .losses import among_ranks, known

FEWEST_DAYS = 30  # known days of a window below which its mean and spread say little of the place
SMALLEST_SPREAD = 0.01  # scaled; keeps the logarithm of a constant window's spread finite
SMALLEST_GAP = 1e-6  # between two quantiles; keeps its logarithm finite


def moved_point(raw: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """Return the read-out (..., 1) of ``mean + spread * flux``."""
    return mean + spread * raw


def moved_quantiles(raw: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """Return the read-out (..., level) whose every quantile is ``mean + spread *`` that of ``raw``.

    Of such a read-out the middle is the median, and the others are gaps before a softplus (``outputs.quantiles``): a
    gap grows with the spread and knows no mean, so it is scaled behind the softplus and taken back before it.
    """
    middle = raw.shape[-1] // 2
    gap = (spread * softplus(raw)).clamp(min=SMALLEST_GAP)
    before_softplus = gap + torch.log(-torch.expm1(-gap))
    is_median = torch.arange(raw.shape[-1], device=raw.device) == middle
    return torch.where(is_median, mean + spread * raw, before_softplus)


MOVED: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"point": moved_point, "quantile": moved_quantiles}


class MomentHead(nn.Module):
    """Read out ``mean + exp(log_spread) * dynamics``: the moments from a condition, the dynamics from encoded days.

    At unseen sites most of the error is a site's level (its mean, and the size of its swings), less its course. One
    read-out of both learns the level only by way of single days, mostly of the sites whose fluxes are large. Here the
    days are encoded into the course in units of the site's own spread, and the level has a loss in which each window
    counts alike. The flux loss reaches the moments too: what counts in the end is the flux. This is the first half of
    ZeroDiff (ICML 2026).

    All of it is in scaled space. With ``data.asinh_at`` mean and spread are thus those of the transformed flux: its
    mean is near the logarithm of a large flux's median, and its spread a relative one. Where NEE is predicted as
    RECO - GPP, the moments of NEE are learned and not listened to: its level follows from the levels of the two.

    Parameters
    ----------
    hidden : width of the encoded days.
    condition : width of what the moments are predicted from.
    layout : names the targets.
    config : what is said of each day: one value or quantiles.
    dropout : dropout before the read-out of the dynamics.

    Raises
    ------
    UserError
        If a mixture is asked for: the floor under its scales does not shrink with the spread.
    """

    def __init__(self, hidden: int, condition: int, layout: Layout, config: HeadConfig, dropout: float) -> None:
        super().__init__()
        if config.kind not in MOVED:
            raise UserError(
                f"head.kind={config.kind}: not for a model of mean and spread; choose head.kind=point or quantile"
            )
        self.moved = MOVED[config.kind]
        self.dynamics = FluxHead(hidden, layout, config, dropout)
        self.moments = nn.Linear(condition, 2 * len(layout.targets))

    def forward(self, encoded: Tensor, condition: Tensor) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled.

        Parameters
        ----------
        encoded : encoded days (batch, day, hidden).
        condition : what the moments are predicted from (batch, condition).
        """
        mean, log_spread = self._moments(condition)
        dynamics: Tensor = self.dynamics(encoded)
        return self.moved(dynamics, mean[:, None, :, None], log_spread.exp()[:, None, :, None])

    def loss(self, condition: Tensor, batch: Batch) -> Tensor:
        """Return the squared error of mean and log-spread against each window's own known fluxes.

        Averaged over the windows and targets with at least ``FEWEST_DAYS`` known days; 0 when there is none.
        """
        mask, target = batch["target_mask"], known(batch["target"], batch["target_mask"])
        days = mask.sum(1)  # (batch, target)
        mean = target.sum(1) / days.clamp(min=1)
        variance = ((target - mean[:, None]).square() * mask).sum(1) / days.clamp(min=1)
        log_spread = variance.sqrt().clamp(min=SMALLEST_SPREAD).log()

        said_mean, said_log_spread = self._moments(condition)
        squared = (said_mean - mean).square() + (said_log_spread - log_spread).square()
        counts = days >= FEWEST_DAYS
        return among_ranks((squared * counts).sum() / counts.sum().clamp(min=1), counts.sum())

    def _moments(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-spread (batch, target) each."""
        mean, log_spread = self.moments(condition).chunk(2, dim=-1)
        return mean, log_spread
