"""Per-site scores inside training and validation loops, exact across batches and ranks."""

import torch
from torch import Tensor
from torchmetrics import Metric

# Raw sums in float64 leave less than this relative noise in a constant record's variance: below, there is no spread.
NO_SPREAD = 1e-12


class SiteStatistics(Metric):
    """RMSE and R2 of each site from summed statistics, and their mean and median over sites.

    The states are plain sums, so ranks and batches add up exactly. Raw instead of centred sums are safe here because
    a flux's mean and spread are of one order; reported scores come from :mod:`raciflux.evaluation.metrics`.

    Parameters
    ----------
    num_sites : number of sites that ``site`` indexes.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    n: Tensor
    sum_o: Tensor
    sum_sq_o: Tensor
    sum_sq_e: Tensor

    def __init__(self, num_sites: int) -> None:
        super().__init__()
        for state in ("n", "sum_o", "sum_sq_o", "sum_sq_e"):
            self.add_state(state, torch.zeros(num_sites, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, pred: Tensor, target: Tensor, mask: Tensor, site: Tensor) -> None:
        """Add a batch.

        Parameters
        ----------
        pred, target : (batch, day), one scale. A prediction that is not a number errs without bound: left out, a
            network that has diverged would have no error at all.
        mask : (batch, day) bool, the days that count; what stands elsewhere is not read.
        site : (batch,) int64.
        """
        mask = mask.bool()
        observed = torch.where(mask, target, 0.0).double()
        error = (torch.where(mask, pred, 0.0).double() - observed).nan_to_num(torch.inf, torch.inf, -torch.inf)
        self.n.index_add_(0, site, mask.double().sum(-1))
        self.sum_o.index_add_(0, site, observed.sum(-1))
        self.sum_sq_o.index_add_(0, site, observed.square().sum(-1))
        self.sum_sq_e.index_add_(0, site, error.square().sum(-1))

    def compute(self) -> dict[str, Tensor]:
        """``mean_rmse, median_rmse, mean_r2, median_r2`` over the sites that have the score; NaN without any."""
        spread = self.sum_sq_o - self.sum_o.square() / self.n
        spread = torch.where(spread > NO_SPREAD * self.sum_sq_o, spread, torch.nan)
        rmse, r2 = (self.sum_sq_e / self.n).sqrt(), 1.0 - self.sum_sq_e / spread
        scores = {"rmse": rmse, "r2": r2}
        means = {f"mean_{name}": values.nanmean() for name, values in scores.items()}
        medians = {f"median_{name}": values.nanquantile(0.5) for name, values in scores.items()}
        return means | medians
