"""Trees beside the network: how far they move an answer, and where they do not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from batches import made_up_batch, made_up_layout
from network_checks import woken
from raciflux.config.schema import HeadConfig
from raciflux.modules.first_guess import FirstGuess
from raciflux.modules.losses import masked_squared_error
from raciflux.modules.outputs import OUTPUTS
from raciflux.modules.raci import Raci
from tiny_networks import ALONE

LAYOUT = made_up_layout()
BATCH = made_up_batch(LAYOUT)
SITES, DAYS = int(BATCH["site"].max()) + 1, int(BATCH["day"].max()) + LAYOUT.window.days
SHAPE = (SITES, DAYS, len(LAYOUT.targets))


def guesses(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)


def at(flux: np.ndarray, batch) -> torch.Tensor:
    """Read the days of the batch off, one by one; NaN outside the record."""
    read = np.full((len(batch["site"]), batch["fast"].shape[1], SHAPE[2]), np.nan, np.float32)
    for row, (site, first) in enumerate(zip(batch["site"].tolist(), batch["day"].tolist(), strict=True)):
        for day in range(read.shape[1]):
            if 0 <= first + day < flux.shape[1]:
                read[row, day] = flux[site, first + day]
    return torch.from_numpy(read)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_an_answer_moves_its_share_of_the_way(weight):
    guess, flux = FirstGuess(weight), guesses()
    flux[:, 5::7] = np.nan
    guess.attach(flux)
    batch = {**BATCH, "day": BATCH["day"] - BATCH["day"].min() - 10}  # windows that begin before the record
    said, expected = torch.randn(len(batch["site"]), batch["fast"].shape[1], SHAPE[2]), at(flux, batch)
    moved = said + guess(said, batch)
    known = torch.isfinite(expected)
    assert 0 < known.float().mean() < 1
    torch.testing.assert_close(moved[known], ((1 - weight) * said + weight * expected)[known])
    assert torch.equal(moved[~known], said[~known])


def test_without_a_guess_the_network_answers_alone():
    guess, said = FirstGuess(0.5), torch.randn(len(BATCH["site"]), BATCH["fast"].shape[1], SHAPE[2])
    assert not guess(said, BATCH).any()
    guess.attach(guesses())
    assert guess(said, BATCH).any()
    with guess.unknown():
        assert not guess(said, BATCH).any()
    assert guess(said, BATCH).any()


@pytest.mark.parametrize("kind", OUTPUTS)
def test_raci_says_the_mean_of_both_whatever_its_head(kind):
    network = woken(Raci(ALONE, LAYOUT, HeadConfig(kind=kind))).eval()
    by_itself = network.output.mean(network(BATCH))
    network.first_guess.attach(guesses())
    torch.testing.assert_close(network.output.mean(network(BATCH)), (by_itself + at(guesses(), BATCH)) / 2)


def test_it_is_data_and_not_weights():
    network = Raci(ALONE, LAYOUT, HeadConfig())
    network.first_guess.attach(guesses())
    assert set(network.state_dict()) == {name for name, _ in network.named_parameters()}


def test_the_network_learns_to_answer_by_itself():
    """Of the loss alone and under a question, only the second knows of the trees."""
    network = woken(Raci(replace(ALONE, own_days=replace(ALONE.own_days, enabled=False)), LAYOUT, HeadConfig()))

    def loss(read, target, mask):
        return masked_squared_error(read[..., 0], target, mask)

    before = network.training_loss(BATCH, loss)
    network.first_guess.attach(guesses())
    assert torch.equal(network.training_loss(BATCH, loss), before)
    asked = woken(Raci(ALONE, LAYOUT, HeadConfig()))
    torch.manual_seed(0)
    before = asked.training_loss(BATCH, loss)
    asked.first_guess.attach(guesses())
    torch.manual_seed(0)
    assert asked.training_loss(BATCH, loss) != before
