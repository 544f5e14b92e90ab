"""RACI's own: what its retrieval may know, and when its regime enters."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from batches import made_up_batch, made_up_layout
from neighbourhoods import CLUSTER_KM, made_up_view
from network_checks import woken
from raciflux.config.schema import HeadConfig
from raciflux.contracts import TrainingView
from raciflux.modules.raci import Raci
from raciflux.retrieval.bank import Bank
from tiny_networks import CONFIGS

CUT = 500  # day of the record
LAYOUT = made_up_layout()
BATCH = made_up_batch(LAYOUT)


@pytest.fixture(scope="module")
def view() -> TrainingView:
    return made_up_view(LAYOUT)


def alone() -> Raci:
    return woken(Raci(CONFIGS["raci, no retrieval"], LAYOUT, HeadConfig()))


def with_bank_of(shown: TrainingView, asked: TrainingView) -> Raci:
    """RACI with the bank of one view and the look-ups of another over the same sites."""
    config = CONFIGS["raci"]
    network = woken(Raci(config, LAYOUT, HeadConfig()))
    bank = Bank.build(shown, CLUSTER_KM)
    network.retrieval.attach(bank, bank.look_up(asked, config.retrieval, same_cube=True))
    return network


def test_retrieval_off_has_no_weights_of_it_and_needs_no_bank():
    assert not any("retrieval" in name for name in alone().state_dict())
    assert torch.isfinite(alone()(BATCH)).all()


def test_the_bank_is_data_and_not_weights(view):
    network = with_bank_of(view, view)
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}


@pytest.mark.parametrize("code", range(4))  # clusters of training sites
def test_neighbours_matter_and_the_own_cluster_s_flux_does_not(view, code):
    """Rule 1 through the whole network: fluxes of one's cluster change nothing, those of others do."""
    mates = view.visible.cluster == code
    noise = np.random.default_rng(code).normal(size=view.target.shape).astype(np.float32)
    told = replace(view, target=np.where(mates[:, None, None] & view.visible.known, noise, view.target))
    before, after = with_bank_of(view, view)(BATCH), with_bank_of(told, told)(BATCH)
    assert torch.equal(after[mates], before[mates])
    assert not torch.equal(after[~mates], before[~mates])


def test_neighbours_looked_up_anew_know_drivers_of_descriptor_days_alone(view):
    """With descriptors of days up to t (rule 1) the look-up, too, keeps what comes after t from day t."""
    days = np.arange(len(view.dates))
    past = replace(view, driver_days=np.broadcast_to(days <= CUT, view.driver_days.shape))
    noise = 3 * np.random.default_rng(1).normal(size=view.fast.shape).astype(np.float32)
    later = np.where((days > CUT)[:, None], noise, view.fast)
    other = replace(past, fast=later, fast_mask=view.fast_mask | (days > CUT)[:, None])
    assert torch.equal(with_bank_of(past, other)(BATCH), with_bank_of(past, past)(BATCH))
    free = replace(other, driver_days=view.driver_days)
    assert not torch.equal(with_bank_of(past, free)(BATCH), with_bank_of(past, past)(BATCH))


def test_days_of_a_block_share_its_regime():
    """The response is conditioned block by block: the regime enters on the first day of a block, not before."""
    network = alone()
    begins = int(np.argmax(LAYOUT.window.last_block() >= 3))
    changed = BATCH["slow"].clone()
    changed[:, 3] += 1.0
    moved = (network(BATCH | {"slow": changed}) != network(BATCH)).any(0)
    assert not moved[:begins].any()
    assert moved[begins].all()
