"""The posterior given own shown days: held against plain Gaussian conditioning, and what it may not do."""

import numpy as np
import pytest
import torch
from batches import made_up_batch, made_up_layout
from network_checks import woken
from raciflux.config.raci import OwnDaysConfig, RaciConfig, RetrievalConfig
from raciflux.config.schema import HeadConfig
from raciflux.modules.own_days import PACE, PENTAD, OwnDays, grown
from raciflux.modules.raci import Raci

LAYOUT = made_up_layout()
BATCH = made_up_batch(LAYOUT)
HIDDEN = 6


def made_up(seed: int = 0):
    """A layer with weights that matter, and windows of which a third of the days is shown."""
    torch.manual_seed(seed)
    layer = OwnDays(HIDDEN, LAYOUT, features=3)
    with torch.no_grad():
        for parameter in (layer.prior, layer.noise, layer.local):
            parameter.copy_((torch.randn_like(parameter) - 1.0) / PACE)
    shape = BATCH["target"].shape
    predicted, encoded = torch.randn(shape), torch.randn(*shape[:2], HIDDEN)
    shown = torch.rand(shape) < 0.3
    return layer, predicted, encoded, torch.randn(shape) * shown, shown


def test_equals_conditioning_of_the_joint_normal():
    """Second implementation: numpy, the covariance of all days with the shown pentads written out in full."""
    layer, predicted, encoded, own, shown = made_up()
    with torch.no_grad():
        said = layer(predicted, encoded, own, shown).numpy()
        learned = torch.tanh(layer.learned(encoded)).double().numpy()
    day = np.arange(LAYOUT.window.days)
    for window in range(3):
        for target in range(len(LAYOUT.targets)):
            features = np.concatenate(
                [np.ones((len(day), 1)), predicted[window].double().numpy(), learned[window]], axis=1
            )
            prior = np.diag(grown(layer.prior[target]).detach().double().numpy())
            variance = grown(layer.local[target]).detach().double().numpy()
            decay = grown(layer.decay[target]).detach().double().numpy()

            def local(a, b, variance=variance, decay=decay):
                apart = np.abs(a[:, None] - b[None])
                return sum(v * np.exp(-apart / d) for v, d in zip(variance, decay, strict=True))

            is_shown = shown[window, :, target].numpy()
            pentads = [p for p in range(day[-1] // PENTAD + 1) if is_shown[day // PENTAD == p].any()]
            joins = np.array([(day // PENTAD == p) & is_shown for p in pentads], float)
            joins /= joins.sum(1, keepdims=True)
            noise = grown(layer.noise[target]).item() * np.diag((joins**2).sum(1))
            centre = np.array(pentads) * PENTAD + (PENTAD - 1) / 2
            of_pentads = joins @ features
            covariance = of_pentads @ prior @ of_pentads.T + local(centre, centre) + noise
            across = features @ prior @ of_pentads.T + local(day.astype(float), centre)
            error = joins @ (own - predicted)[window, :, target].double().numpy()
            expected = across @ np.linalg.solve(covariance, error)
            np.testing.assert_allclose(said[window, :, target], expected, rtol=1e-3, atol=1e-4)


def test_a_site_that_shows_nothing_is_not_corrected_at_all():
    layer, predicted, encoded, own, shown = made_up()
    shown[2] = False
    corrected = layer(predicted, encoded, own, shown)
    assert (corrected[2] == 0).all() and (corrected[3] != 0).all()


def test_what_is_hidden_is_not_looked_at_and_no_window_sees_another():
    layer, predicted, encoded, own, shown = made_up()
    before = layer(predicted, encoded, own, shown)
    told = torch.where(shown, own, torch.full_like(own, 1e6))
    assert torch.equal(layer(predicted, encoded, told, shown), before)
    alone = layer(predicted[:1], encoded[:1], own[:1], shown[:1])
    torch.testing.assert_close(alone, before[:1], rtol=1e-4, atol=1e-5)


def test_evidence_of_windows_adds_up_and_narrows_what_a_site_may_be():
    """Ten windows that tell the same leave less of the error than one: the prior pulls less."""
    layer, predicted, encoded, _, shown = made_up()
    with torch.no_grad():
        layer.local.fill_(-20.0 / PACE)
    own = (predicted + 1.0) * shown  # the site is higher by one, always
    one = layer.evidence(predicted[:1], encoded[:1], own[:1], shown[:1])
    ten = type(one)(*(part * 10 for part in one))
    with_one, with_ten = (
        layer(predicted[:1], encoded[:1], own[:1], shown[:1], evidence=evidence) for evidence in (one, ten)
    )
    assert (with_ten - 1.0).abs().mean() < 0.5 * (with_one - 1.0).abs().mean()


@pytest.mark.parametrize("head", ["point", "quantile", "mixture"])
def test_shown_days_move_the_flux_of_any_head_by_the_same(head):
    config = RaciConfig(hidden=8, regime=6, embedding=5, dropout=0.0, retrieval=RetrievalConfig(enabled=False))
    network = woken(Raci(config, LAYOUT, HeadConfig(kind=head)))
    raw, _ = network.alone(BATCH)
    by = torch.randn(BATCH["target"].shape)
    moved = network.output.moved(raw, by)
    torch.testing.assert_close(network.output.mean(moved) - network.output.mean(raw), by, rtol=1e-4, atol=1e-4)
    quantiles = (network.output.quantiles(one, torch.tensor([0.1, 0.9])) for one in (moved, raw))
    after, before = quantiles
    if before is not None:
        torch.testing.assert_close(after - before, by[..., None].expand_as(before), rtol=1e-3, atol=1e-3)


def test_own_days_off_has_no_weights_of_it_and_looks_at_nothing():
    config = RaciConfig(
        hidden=8, regime=6, dropout=0.0, retrieval=RetrievalConfig(enabled=False), own_days=OwnDaysConfig(enabled=False)
    )
    network = woken(Raci(config, LAYOUT, HeadConfig()))
    assert not any("own_days" in name for name in network.state_dict())
    told = {**BATCH, "own": BATCH["target"], "own_mask": BATCH["target_mask"]}
    assert torch.equal(network(told), network(BATCH))


def test_training_learns_both_to_answer_alone_and_to_use_own_days():
    config = RaciConfig(hidden=8, regime=6, embedding=5, dropout=0.0, retrieval=RetrievalConfig(enabled=False))
    torch.manual_seed(0)
    network = Raci(config, LAYOUT, HeadConfig())
    network.training_loss(BATCH, network.output.loss).backward()
    assert network.own_days.prior.grad.abs().min() > 0
    assert network.head.read[1].weight.grad.abs().max() > 0
