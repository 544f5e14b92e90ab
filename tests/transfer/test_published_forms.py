"""Each fault of X-MethaneWet's published transfer, shown, beside the corrected form that does not have it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from batches import made_up_batch, made_up_layout
from raciflux.config.compose import compose
from raciflux.config.paper_models import PaperLstmConfig
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import TargetScale, WindowLayout
from raciflux.errors import UserError
from raciflux.modules import TRAINABLE
from raciflux.modules.checkpoints import load_checkpoint
from raciflux.modules.flux_module import Domains, FluxModule
from raciflux.transfer import JointTraining
from raciflux.transfer.joint import Adversarial, Reweighted, discriminator
from raciflux.transfer.paper_compat import PublishedAdversarial, PublishedReweighted
from raciflux.workflow import transfer as workflow
from two_domains import CONFIG, broken_off, transferred

from worlds import tiny_cube

HIDDEN = 6
STAGE = StageConfig(steps=6, check_every=2, batch_size=2, learning_rate=0.02)
PAPER = replace(
    CONFIG,
    model=PaperLstmConfig(hidden=HIDDEN),
    paper_compat=True,
    transfer=replace(CONFIG.transfer, pretrain=STAGE, finetune=STAGE),
)
PUBLISHED = {"adversarial": PublishedAdversarial, "reweight": PublishedReweighted}
CORRECTED = {"adversarial": Adversarial, "reweight": Reweighted}
ONE_DAY = WindowLayout(warmup=14, scored=1, block_days=15, history=3)  # where days and windows are the same
every_published = pytest.mark.parametrize("technique", PUBLISHED)


def module_and_batches(window: WindowLayout | None = None) -> tuple[FluxModule, Domains]:
    """The published LSTM over made-up batches of both domains without a gap, which would drop them."""
    torch.manual_seed(0)
    layout = made_up_layout(1) if window is None else made_up_layout(1, window=window)
    network = TRAINABLE["paper_lstm"](PaperLstmConfig(hidden=HIDDEN), layout, HeadConfig())
    scales = [TargetScale("nmol m-2 s-1", 100.0, 150.0)]
    module = FluxModule(network, layout, HeadConfig(), scales, 12, StageConfig())
    module.log = module.log_dict = lambda *told, **options: None  # type: ignore[method-assign]  # no trainer listens
    towers, simulation = made_up_batch(layout, 12, missing=0.0), made_up_batch(layout, 12, missing=0.0, seed=1)
    return module, {"towers": towers, "simulation": {**simulation, "fast": simulation["fast"] + 1.0}}


def encoder_gradient(module: FluxModule, loss: torch.Tensor) -> torch.Tensor:
    grads = torch.autograd.grad(loss, list(module.network.fast_encoder.parameters()))
    return torch.cat([grad.flatten() for grad in grads])


def mixed(module: FluxModule, both: Domains, done: float) -> torch.Tensor:
    """The losses of the fluxes alone."""
    towers, simulated = (module.loss_of(both[domain], module.loss) for domain in ("towers", "simulation"))
    return done * towers + (1 - done) * simulated


# --- adversarial ------------------------------------------------------------------------------------------------------


def test_the_published_gradient_of_the_domain_is_not_reversed():
    """At windows of one day, and with its two answers swapped, the corrected form sees the same discriminator."""
    module, both = module_and_batches(ONE_DAY)
    published, corrected = PublishedAdversarial(HIDDEN), Adversarial(0.7, HIDDEN)
    corrected.discriminator.load_state_dict(published.discriminator.state_dict())
    with torch.no_grad():
        for parameter in corrected.discriminator[-1].parameters():
            parameter.neg_()
    published.done = corrected.done = 0.3
    of_fluxes = encoder_gradient(module, mixed(module, both, 0.3))
    unreversed = encoder_gradient(module, published(module, both)) - of_fluxes
    reversed_ = encoder_gradient(module, corrected(module, both)) - of_fluxes
    assert unreversed.abs().max() > 1e-3
    # the published form adds what the corrected one averages over both domains, and weighs it with the simulation
    by_corrected = 0.7 * (2 / (1 + math.exp(-3.0)) - 1) / 2
    torch.testing.assert_close(unreversed / 0.7, -reversed_ / by_corrected, rtol=1e-3, atol=1e-5)


def test_the_published_loss_of_the_domain_is_of_each_day_and_ends_with_the_simulation_s():
    module, both = module_and_batches()
    loss = PublishedAdversarial(HIDDEN)
    with torch.no_grad():  # large weights, or the mean of what is told of days would be what is told of their mean
        for parameter in (*loss.parameters(), *module.network.fast_encoder.parameters()):
            parameter.mul_(4.0)
    encoded = {
        domain: module.network.fast_encoder(module.network.inputs(of))[0][:, module.window.warmup :]
        for domain, of in both.items()
    }
    told = {domain: torch.sigmoid(loss.discriminator(days)) for domain, days in encoded.items()}
    mistaken = -(told["simulation"].log().mean() + (1 - told["towers"]).log().mean())
    for done in (0.0, 0.25, 1.0):
        loss.done = done
        torch.testing.assert_close(loss(module, both), mixed(module, both, done) + (1 - done) * mistaken)


@pytest.mark.parametrize(("config", "trained"), [(PAPER, False), (CONFIG, True)], ids=["published", "corrected"])
def test_the_published_discriminator_is_never_trained(tmp_path, config, trained):
    transferred(tmp_path / "run", filled(), config=config, name="adversarial")
    checkpoint = load_checkpoint(tmp_path / "run" / "checkpoints" / "joint" / "last.ckpt")
    torch.manual_seed(config.seed)
    drawn = discriminator(HIDDEN).state_dict()
    kept = {name: checkpoint["state_dict"][f"domains.discriminator.{name}"] for name in drawn}
    assert all(torch.equal(value, kept[name]) != trained for name, value in drawn.items())
    assert checkpoint["global_step"] > 0


# --- re-weighting -----------------------------------------------------------------------------------------------------


def weights_by_hand(module: FluxModule, both: Domains) -> np.ndarray:
    """The published weights, window by window, of windows without a gap."""
    found = []
    warmup = module.window.warmup
    towers, simulated = (
        module.in_units(both[domain]["target"])[:, warmup:, 0].numpy().astype(np.float64)
        for domain in ("towers", "simulation")
    )
    for flux in simulated:
        distances = []
        for of_tower in towers:
            spreads = [window.std(ddof=1) / np.ptp(window) for window in (flux, of_tower)]
            distances.append(abs(flux.mean() - of_tower.mean()) / 50 * abs(spreads[0] - spreads[1]) / 0.05)
        found.append((1 + min(distances)) ** -5)
    return np.array(found)


def unlike(both: Domains) -> Domains:
    """Simulated windows ever less like those of the towers, in mean, spread and how well they are met."""
    simulation = both["simulation"]
    windows = torch.arange(1.0, len(simulation["site"]) + 1)[:, None, None]
    target = simulation["target"].sign() * simulation["target"].abs() ** (0.5 + windows / 12) + windows / 12
    return {**both, "simulation": {**simulation, "target": target * simulation["target_mask"]}}


def test_published_weights_multiply_a_loss_that_is_averaged_already():
    module, both = module_and_batches()
    both = unlike(both)
    weights = weights_by_hand(module, both)
    assert weights.min() < 0.1 and weights.max() > 0.6
    published, corrected = PublishedReweighted(5.0), Reweighted(weights)
    torch.testing.assert_close(published.weights(module, both).double(), torch.from_numpy(weights), rtol=1e-3, atol=0)
    averaged = module.loss_of(both["simulation"], module.loss)
    of_towers = module.loss_of(both["towers"], module.loss)
    for done in (0.0, 0.4, 1.0):
        published.done = corrected.done = done
        told = published(module, both)
        torch.testing.assert_close(told, done * of_towers + (1 - done) * weights.sum() * averaged, check_dtype=False)
    published.done = corrected.done = 0.0
    as_averaged, as_published, as_corrected = (
        torch.nn.functional.normalize(encoder_gradient(module, loss), dim=0)
        for loss in (averaged, published(module, both), corrected(module, both))
    )
    torch.testing.assert_close(as_published, as_averaged)  # no window teaches more than another
    assert (as_corrected - as_averaged).abs().max() > 1e-3
    assert corrected(module, both).item() != pytest.approx(averaged.item(), rel=0.1)


@pytest.mark.parametrize("labels", ["none", "one", "alike"])
def test_published_weights_of_windows_that_cannot_be_compared(labels):
    """Without two different labels a simulated window weighs nothing, and a tower is like nobody."""
    module, both = module_and_batches()
    both = unlike(both)
    loss = PublishedReweighted(5.0)
    weights = loss.weights(module, both)
    for domain, of in list(both.items()):
        mask, target = of["target_mask"].clone(), of["target"].clone()
        if labels == "alike":
            target[0] = 0.5
        else:
            mask[0, : None if labels == "none" else -1] = False
        told = loss.weights(module, {**both, domain: {**of, "target": target, "target_mask": mask}})
        if domain == "simulation":
            assert told[0] == 0 and torch.equal(told[1:], weights[1:])
        else:
            others = {name: value[1:] for name, value in of.items()}
            assert torch.equal(told, loss.weights(module, {**both, domain: others}))


# --- only when asked for, and whole trainings -------------------------------------------------------------------------


def filled() -> xr.Dataset:
    """Towers with a label on every day, as the published code has them by gap filling."""
    cube = tiny_cube()
    flux = cube["GPP"].to_numpy()
    flux = np.where(np.isfinite(flux), flux, np.nanmean(flux)).astype(np.float32)
    ones = np.ones_like(flux)
    labelled = {"GPP": flux, "GPP_qc": ones, "GPP_measured": ones}
    return cube.assign({name: (("site", "time"), values, cube[name].attrs) for name, values in labelled.items()})


class ChosenError(Exception):
    """Ends a training once it has chosen its loss of both domains."""


@every_published
@pytest.mark.parametrize(("config", "forms"), [(PAPER, PUBLISHED), (CONFIG, CORRECTED)], ids=["published", "corrected"])
def test_the_published_forms_go_with_paper_compat(tmp_path, monkeypatch, technique, config, forms):
    def chosen(loss: torch.nn.Module) -> JointTraining:
        raise ChosenError(type(loss))

    monkeypatch.setattr(workflow, "JointTraining", chosen)
    with pytest.raises(ChosenError) as told:
        transferred(tmp_path / "run", config=config, name=technique)
    assert told.value.args == (forms[technique],)


@every_published
def test_nothing_else_leads_to_the_published_forms(technique):
    assert not compose([f"transfer={technique}"]).paper_compat
    with pytest.raises(UserError, match="take paper_compat=false"):
        compose([f"transfer={technique}", "model=lstm", "paper_compat=true"])
    with pytest.raises(UserError, match="add paper_compat=true"):
        compose([f"transfer={technique}", "model=paper_lstm"])


@pytest.fixture
def losses(monkeypatch) -> list[float]:
    """The losses of all training steps, as they come."""
    found: list[float] = []
    step = FluxModule.training_step

    def watched(self, batch, batch_idx):
        loss = step(self, batch, batch_idx)
        found.append(loss.item())
        return loss

    monkeypatch.setattr(FluxModule, "training_step", watched)
    return found


@pytest.mark.parametrize("technique", ["finetune", "residual", "adversarial", "reweight"])
def test_the_four_published_techniques_end_on_the_towers(tmp_path, losses, technique):
    learned = transferred(tmp_path / "run", filled(), config=PAPER, name=technique)
    assert np.isfinite(learned.predicted.flux).any() and 0 < learned.score < 100
    first, second = losses[: STAGE.steps], losses[STAGE.steps :]
    assert len(second) == STAGE.steps and sum(first) > 0 and sum(second) > 0  # not all are dropped for a gap


@every_published
def test_a_published_training_that_broke_off_goes_on_as_the_uninterrupted_one(tmp_path, monkeypatch, losses, technique):
    done: list[float] = []
    forward = PUBLISHED[technique].forward

    def watched(self, module, batch):
        done.append(self.done)
        return forward(self, module, batch)

    monkeypatch.setattr(PUBLISHED[technique], "forward", watched)
    of_training = {"towers": filled(), "config": PAPER, "name": technique}
    transferred(tmp_path / "whole", **of_training)
    whole = losses.copy()
    assert done == [step / STAGE.steps for step in range(STAGE.steps)]
    broken_off(monkeypatch, tmp_path / "broken", **of_training)
    losses.clear()
    transferred(tmp_path / "broken", **of_training)
    assert losses == whole[2:]
