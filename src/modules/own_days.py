"""What a site's own shown fluxes say of its other days: the last step of conditional inference.

A network that was never shown a site errs there in a way that lasts: its level is off, it is too strong in summer, it
answers too little to dry air. The error of a day is therefore modelled as

    observed - predicted = features . w + local + noise,

with coefficients ``w`` of the site's own (prior: normal about zero, one variance a feature), ``local`` a Gaussian
process over time (two exponential covariances, of days and of a season) and independent noise. Given any set of shown
days the posterior mean is closed algebra; without a shown day it is exactly zero, so one set of weights answers a site
that was never seen, one with a few days, one with years, and a gap. Features are a constant, the predicted fluxes and
a learned projection of the encoded days; all variances are learned by how well hidden days are predicted. The linear
mixed model is Laird and Ware's (1982, doi:10.2307/2529876), learned features under it Harrison et al.'s (2018,
arXiv 1807.08912). Days are joined to pentads, means of five: errors of neighbouring days are too alike to tell more.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..contracts import Layout

PENTAD = 5  # days
DECAY_DAYS = (10.0, 100.0)  # where the two time scales of the local errors start
PACE = 10.0  # how much faster than a weight a logarithm of a variance is learned: it has a few hundred steps to move


class Evidence(NamedTuple):
    """What shown days say of a site's coefficients; the evidence of several windows adds up."""

    precision: Tensor  # (batch, target, feature, feature)
    moment: Tensor  # (batch, target, feature)


class _Pentads(NamedTuple):
    """Shown days joined to pentads, and the covariance of their errors about the site's response."""

    features: Tensor  # (batch, target, pentad, feature), 0 where nothing is shown
    error: Tensor  # (batch, target, pentad), 0 where nothing is shown
    shown: Tensor  # (batch, target, pentad), bool
    factor: Tensor  # (batch, target, pentad, pentad), Cholesky factor of the covariance


class OwnDays(nn.Module):
    """Posterior mean of a site's lasting and local errors, given its shown days.

    Parameters
    ----------
    hidden : width of the encoded days.
    layout : names the targets, and the window.
    features : number of learned features.

    Attributes
    ----------
    widened : factor on the prior's variances. They are learned where the network was trained, and it errs more at other
        sites; see ``workflow/own_prior.py``.
    """

    def __init__(self, hidden: int, layout: Layout, features: int) -> None:
        super().__init__()
        targets = len(layout.targets)
        self.widened = 1.0
        self.learned = nn.Linear(hidden, features)
        # logarithms over PACE, all in scaled units: variances of coefficients, noise and local errors; days
        self.prior = nn.Parameter(torch.full((targets, 1 + targets + features), -2.0 / PACE))
        self.noise = nn.Parameter(torch.full((targets,), -1.0 / PACE))
        self.local = nn.Parameter(torch.full((targets, len(DECAY_DAYS)), -2.0 / PACE))
        self.decay = nn.Parameter(torch.tensor(DECAY_DAYS).log().repeat(targets, 1) / PACE)
        days = torch.arange(layout.window.days)
        self.register_buffer("pentad", days // PENTAD, persistent=False)
        self.register_buffer("day", days.float(), persistent=False)
        self.pentad: Tensor  # (day,)
        self.day: Tensor  # (day,)

    def forward(
        self, predicted: Tensor, encoded: Tensor, own: Tensor, shown: Tensor, evidence: Evidence | None = None
    ) -> Tensor:
        """Return the correction (batch, day, target) of ``predicted``, scaled; zero where a site shows nothing.

        Parameters
        ----------
        predicted : fluxes (batch, day, target) without a look at own days, scaled.
        encoded : encoded days (batch, day, hidden).
        own, shown : own fluxes (batch, day, target) and which of them are shown.
        evidence : of all of the site's windows; that of this window alone if None.
        """
        features = self._features(predicted, encoded)
        pentads = self._pentads(features, predicted, own, shown)
        given = self._evidence(pentads) if evidence is None else evidence
        prior = torch.diag_embed(1.0 / (self.widened * grown(self.prior)))
        coefficient = torch.linalg.solve(given.precision + prior, given.moment)  # (batch, target, feature)
        lasting = torch.einsum("bdf,btf->bdt", features, coefficient)
        return lasting + self._local(pentads, coefficient)

    def evidence(self, predicted: Tensor, encoded: Tensor, own: Tensor, shown: Tensor) -> Evidence:
        """Return what the shown days of each window say of its site's coefficients."""
        return self._evidence(self._pentads(self._features(predicted, encoded), predicted, own, shown))

    def _features(self, predicted: Tensor, encoded: Tensor) -> Tensor:
        """Return (batch, day, feature): a constant, the predicted fluxes, the learned features."""
        constant = torch.ones_like(predicted[..., :1])
        return torch.cat([constant, predicted, torch.tanh(self.learned(encoded))], dim=-1).float()

    def _pentads(self, features: Tensor, predicted: Tensor, own: Tensor, shown: Tensor) -> _Pentads:
        weight = shown.float()  # (batch, day, target)
        error = (own - predicted).float() * weight
        days = self._joined(weight)  # (batch, target, pentad)
        each = days.clamp(min=1.0)
        joined = torch.stack([self._joined(weight * one[..., None]) for one in features.unbind(-1)], dim=-1)
        known = days > 0
        noise = torch.where(known, grown(self.noise)[:, None] / each, torch.ones_like(each))
        centre = torch.arange(days.shape[-1], device=days.device) * PENTAD + (PENTAD - 1) / 2
        covariance = self._covariance(centre, centre) * (known[..., None] & known[..., None, :])
        factor = torch.linalg.cholesky(covariance + torch.diag_embed(noise))
        return _Pentads(joined / each[..., None], self._joined(error) / each, known, factor)

    def _joined(self, daily: Tensor) -> Tensor:
        """Sum (batch, day, target) over pentads: (batch, target, pentad)."""
        sums = daily.new_zeros(daily.shape[0], int(self.pentad[-1]) + 1, daily.shape[2])
        return sums.index_add(1, self.pentad, daily).transpose(1, 2)

    def _covariance(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the covariance (target, a, b) of local errors between days ``a`` and ``b``."""
        apart = (a[:, None] - b[None]).abs()
        variance, decay = grown(self.local)[..., None, None], grown(self.decay)[..., None, None]
        return (variance * torch.exp(-apart / decay)).sum(1)

    def _evidence(self, pentads: _Pentads) -> Evidence:
        both = torch.cat([pentads.features, pentads.error[..., None]], dim=-1)
        white = torch.linalg.solve_triangular(pentads.factor, both, upper=False)
        products = white.transpose(-1, -2) @ white
        return Evidence(products[..., :-1, :-1], products[..., :-1, -1])

    def _local(self, pentads: _Pentads, coefficient: Tensor) -> Tensor:
        """Return what is left of the shown errors, carried to the days (batch, day, target) around them."""
        left = pentads.error - (pentads.features * coefficient[:, :, None]).sum(-1)
        weight = torch.cholesky_solve((left * pentads.shown)[..., None], pentads.factor)[..., 0]
        centre = torch.arange(left.shape[-1], device=left.device) * PENTAD + (PENTAD - 1) / 2
        return torch.einsum("tdp,btp->bdt", self._covariance(self.day, centre), weight)


def grown(learned: Tensor) -> Tensor:
    """Return the variances or days that are learned as logarithms over ``PACE``."""
    return (PACE * learned).exp()
