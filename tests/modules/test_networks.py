"""What every network must keep, whatever it is made of: one suite, joined by a line in ``tiny_networks``."""

from dataclasses import replace
from typing import Any

import network_checks as check
import pytest
import torch
from batches import made_up_batch, made_up_layout
from neighbourhoods import with_neighbours
from raciflux.config import models
from raciflux.config.models import PARTS
from raciflux.config.schema import HeadConfig
from raciflux.contracts import Layout, WindowLayout
from raciflux.errors import UserError
from raciflux.modules import NETWORKS
from raciflux.modules.outputs import OUTPUTS
from tiny_networks import CONFIGS, every_network
from torch import nn

POINT, QUANTILES = HeadConfig(), HeadConfig(kind="quantile", quantiles=5)
MIXTURE = HeadConfig(kind="mixture", components=2)
# Inputs that a network reads; what is not named here it ignores, which is tested as well.
PLACE, PLACE_AND_HISTORY = ("fast", "static", "classes"), ("fast", "static", "classes", "slow")
READS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(NETWORKS, PLACE),
    "lstm": ("fast",),
    **dict.fromkeys(("tam_rl", "moment_lstm", "raci"), PLACE_AND_HISTORY),
}
LAYOUT = made_up_layout()


def reads(config: Any) -> tuple[str, ...]:
    if config.name == "raci" and not config.scales:
        return ("fast",)
    return READS[config.name]


def build(config: Any, layout: Layout = LAYOUT, head: HeadConfig = POINT) -> nn.Module:
    return with_neighbours(check.woken(NETWORKS[config.name](config, layout, head)), config, layout)


def test_the_suite_covers_every_network():
    assert {config.name for config in CONFIGS.values()} == set(NETWORKS)
    assert set(NETWORKS) == set(models.NETWORKS)


@every_network
@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("head", [POINT, QUANTILES, MIXTURE], ids=lambda head: head.kind)
def test_one_finite_read_out_a_day_and_target(config, targets, head):
    of_moments = config.name == "moment_lstm" or getattr(config, "moments", False)
    if of_moments and head.kind == "mixture":
        with pytest.raises(UserError, match=r"head\.kind=mixture"):
            build(config, LAYOUT, head)
        return
    layout = made_up_layout(targets)
    network = build(config, layout, head)
    check.check_shape(network, made_up_batch(layout, missing=0.4), layout, OUTPUTS[head.kind](head).parameters)


@every_network
def test_a_record_without_any_input_is_finite(config):
    check.check_finite_without_inputs(build(config), made_up_batch(LAYOUT))


@every_network
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_layout_without_statics_and_classes(config):
    bare = made_up_layout(places=False)
    check.check_shape(build(config, bare), made_up_batch(bare), bare, 1)


@every_network
@pytest.mark.parametrize("window", [WindowLayout(0, 31, 7, 1), WindowLayout(3, 1, 30, 2)], ids=["no warm-up", "short"])
def test_other_windows(config, window):
    layout = made_up_layout(window=window)
    check.check_shape(build(config, layout), made_up_batch(layout), layout, 1)


@every_network
def test_gradients_reach_every_weight(config):
    check.check_gradients(build(config).train(), made_up_batch(LAYOUT))


@every_network
def test_no_day_of_a_causal_network_changes_with_drivers_after_it(config):
    check.check_causal_mark(build(config), made_up_batch(LAYOUT), LAYOUT)


def test_which_networks_are_causal():
    causal = {name for name, network in NETWORKS.items() if network.causal}
    assert set(NETWORKS) - causal == {"itransformer", "pyraformer"}


@every_network
def test_batch_mates_do_not_matter(config):
    check.check_batch_independence(build(config), made_up_batch(LAYOUT))


@every_network
def test_a_network_knows_only_inputs(config):
    check.check_knows_only_inputs(build(config), made_up_batch(LAYOUT))


@every_network
def test_eval_is_the_same_each_time_and_training_drops_out(config):
    network, batch = build(replace(config, dropout=0.5)), made_up_batch(LAYOUT)
    check.check_same_each_time(network, batch)
    network.train()
    assert not torch.equal(network(batch), network(batch))


@every_network
def test_the_inputs_of_its_roles_matter_and_no_others(config):
    network, batch = build(config), made_up_batch(LAYOUT)
    before = network(batch)
    for name in ("fast", "static", "slow", "classes"):
        other = (batch[name] + 1) % 3 if name == "classes" else batch[name] + 1.0
        changed = not torch.equal(network(batch | {name: other}), before)
        assert changed == (name in reads(config)), name


@every_network
def test_masks_matter(config):
    """A value of 0 that was measured is not a value that is missing."""
    network, batch = build(config), made_up_batch(LAYOUT)
    before = network(batch)
    for name in set(reads(config)) - {"classes"}:
        mask = f"{name}_mask"
        assert not torch.equal(network(batch | {mask: torch.zeros_like(batch[mask])}), before), mask


@every_network
def test_parts_that_transfer_may_freeze_are_all_there_is(config):
    parts = {name for name, child in build(config).named_children() if list(child.parameters())}
    alone = config.name == "raci" and not config.retrieval.enabled
    assert parts == set(PARTS[config.name]) - ({"retrieval"} if alone else set())


@pytest.mark.parametrize("name", NETWORKS)
def test_default_sizes_are_sensible(name):
    layout = made_up_layout(window=WindowLayout(90, 360, 30, 12))
    check.check_size(NETWORKS[name](models.NETWORKS[name](), layout, POINT))


@pytest.mark.parametrize("name", ["transformer", "itransformer", "pyraformer"])
def test_heads_that_do_not_divide_the_width_are_one_line(name):
    with pytest.raises(UserError, match=r"model\.heads=3.*model\.hidden=8"):
        build(replace(CONFIGS[name], heads=3))
