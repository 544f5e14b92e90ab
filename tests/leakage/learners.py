"""Rule 1, model by model: estimators learn from known days alone, losses count them alone, no target is an input."""

from dataclasses import replace

import network_checks
import numpy as np
import pytest
import test_estimators
import torch
from batches import made_up_batch, made_up_layout
from fabricated_view import fabricated_view
from neighbourhoods import with_neighbours
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import TargetScale, TrainingView
from raciflux.modules import NETWORKS, moments
from raciflux.modules.baselines import random_forest, seasons
from raciflux.modules.baselines.site_mean import SiteMean
from raciflux.modules.flux_module import FluxModule
from raciflux.modules.moments import MomentHead
from raciflux.modules.outputs import point
from test_network_checks import CountsTheTarget, ReadsTheTarget
from tiny_networks import CONFIGS

from .world import Leak, demand_awake, demand_still

LAYOUT = made_up_layout()
BATCH = made_up_batch(LAYOUT)


# --- models without gradients -----------------------------------------------------------------------------------------


def check_estimators() -> None:
    """What stands in a view outside known days moves no estimator."""
    view = fabricated_view()
    for name in test_estimators.ESTIMATORS:
        test_estimators.test_no_scored_flux_can_enter(name, view)


def climatology_of_all_days(patch: pytest.MonkeyPatch) -> None:
    of = seasons.Seasons.of
    patch.setattr(seasons.Seasons, "of", lambda view, rows: of(_all_known(view), rows))


def site_mean_of_all_days(patch: pytest.MonkeyPatch) -> None:
    fit = SiteMean.fit
    patch.setattr(SiteMean, "fit", lambda config, view, km, seed: fit(config, _all_known(view), km, seed))


def trees_of_all_days(patch: pytest.MonkeyPatch) -> None:
    gather = random_forest.training_set
    patch.setattr(random_forest, "training_set", lambda view, *rest: gather(_all_known(view), *rest))


def _all_known(view: TrainingView) -> TrainingView:
    return replace(view, visible=replace(view.visible, known=np.ones_like(view.visible.known)))


ESTIMATORS = {
    "climatology of all days": Leak(climatology_of_all_days, "Arrays are not equal"),
    "site mean of all days": Leak(site_mean_of_all_days, "Arrays are not equal"),
    "trees grown on all days": Leak(trees_of_all_days, "Arrays are not equal"),
}


# --- networks and their losses ----------------------------------------------------------------------------------------


def check_losses() -> None:
    """What the target holds on days that do not count moves no loss, and no network reads it as an input."""
    absurd = torch.where(BATCH["target_mask"], BATCH["target"], 1e4)
    scales = [TargetScale("gC m-2 d-1", 1.0, 2.0)] * len(LAYOUT.targets)
    for name, config in CONFIGS.items():
        network = with_neighbours(
            network_checks.woken(NETWORKS[config.name](config, LAYOUT, HeadConfig())), config, LAYOUT
        )
        try:
            network_checks.check_knows_only_inputs(network, BATCH)
        except AssertionError as error:
            raise AssertionError(f"{name} reads the target") from error
        module = FluxModule(network, LAYOUT, HeadConfig(), scales, len(BATCH["site"]), StageConfig())
        module.log = lambda *told, **options: None  # type: ignore[method-assign]  # no trainer listens
        before = {f"loss of {name}": loss_of(module, BATCH["target"])}
        demand_still(before, {f"loss of {name}": loss_of(module, absurd)})
        demand_awake(before, {f"loss of {name}": loss_of(module, 2 * BATCH["target"])})


def loss_of(module: FluxModule, target: torch.Tensor) -> torch.Tensor:
    """A training step under one draw of questions."""
    torch.manual_seed(0)
    return module.training_step(BATCH | {"target": target}, 0)


def network_that(leaky: type[torch.nn.Module]) -> Leak:
    def build(patch: pytest.MonkeyPatch) -> None:
        patch.setitem(NETWORKS, "lstm", lambda config, layout, head: leaky(layout))

    return Leak(build, "lstm reads the target")


def loss_over_all_days(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(point, "masked_squared_error", lambda said, target, mask: (said - target).square().mean())


def moments_of_all_days(patch: pytest.MonkeyPatch) -> None:
    loss = MomentHead.loss

    def loss_of_all(self, condition, batch):
        return loss(self, condition, batch | {"target_mask": torch.ones_like(batch["target_mask"])})

    patch.setattr(moments.MomentHead, "loss", loss_of_all)


LOSSES = {
    "moments of the target over all days": Leak(moments_of_all_days, "moved: loss of moment_lstm"),
    "a loss over all days": Leak(loss_over_all_days, "moved: loss of lstm"),
    "a network that reads the target": network_that(ReadsTheTarget),
    "a network that reads which days count": network_that(CountsTheTarget),
}
