"""Point, quantiles and mixture against second implementations, and at the edges where gradients break."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from raciflux.config.schema import HeadConfig
from raciflux.modules.losses import masked_squared_error
from raciflux.modules.outputs import OUTPUTS
from raciflux.modules.outputs.mixture import SMALLEST_SCALE, Mixture
from raciflux.modules.outputs.quantiles import Quantiles
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.metrics import mean_pinball_loss

SHAPE = (3, 7, 2)  # batch, day, target
CONFIGS = {kind: HeadConfig(kind=kind) for kind in OUTPUTS}
LEVELS = torch.tensor([0.001, 0.05, 0.3, 0.5, 0.77, 0.95, 0.999], dtype=torch.float64)


def made(kind, seed=0, spread=1.0):
    """An output, a read-out in double precision, a target and a mask with gaps."""
    output = OUTPUTS[kind](CONFIGS[kind])
    generator = torch.Generator().manual_seed(seed)
    raw = spread * torch.randn(*SHAPE, output.parameters, generator=generator, dtype=torch.float64)
    target = torch.randn(SHAPE, generator=generator, dtype=torch.float64)
    mask = torch.rand(SHAPE, generator=generator) < 0.6
    return output, raw, target, mask


# --- what all have in common ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OUTPUTS)
def test_shapes_and_precision(kind):
    output, raw, target, mask = made(kind)
    raw, target = raw.float(), target.float()
    assert output.loss(raw, target, mask).shape == ()
    assert output.mean(raw).shape == SHAPE
    quantiles = output.quantiles(raw, LEVELS)
    assert (quantiles is None) == (kind == "point")
    if quantiles is not None:
        assert quantiles.shape == (*SHAPE, len(LEVELS))
        assert quantiles.dtype == torch.float32
        assert torch.equal(quantiles, output.quantiles(raw, LEVELS))


@pytest.mark.parametrize("kind", OUTPUTS)
def test_the_loss_of_several_targets_is_their_mean_over_all_values_that_count(kind):
    output, raw, target, mask = made(kind)
    each = [output.loss(raw[:, :, [i]], target[:, :, [i]], mask[:, :, [i]]) for i in range(2)]
    counts = mask.sum((0, 1))
    expected = (each[0] * counts[0] + each[1] * counts[1]) / counts.sum()
    torch.testing.assert_close(output.loss(raw, target, mask), expected)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_masked_targets_add_nothing_not_even_nan_gradients(kind):
    output, raw, target, mask = made(kind)
    raw.requires_grad_()
    losses, gradients = [], []
    for hidden in (0.0, 1e30, float("nan"), float("inf")):
        loss = output.loss(raw, target.masked_fill(~mask, hidden), mask)
        losses.append(loss)
        gradients.append(torch.autograd.grad(loss, raw)[0])
    assert len({loss.item() for loss in losses}) == 1
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)
    assert torch.equal(gradients[0].ne(0).any(-1), mask)


@pytest.mark.parametrize("kind", OUTPUTS)
def test_nothing_that_counts_costs_nothing(kind):
    output, raw, target, mask = made(kind)
    raw.requires_grad_()
    loss = output.loss(raw, target * float("nan"), torch.zeros_like(mask))
    loss.backward()
    assert loss.item() == 0
    assert not raw.grad.any()


@pytest.mark.parametrize("kind", OUTPUTS)
@pytest.mark.parametrize("size", [1e-30, 1e2, 1e4, 1e12])
def test_extreme_read_outs_leave_everything_finite(kind, size):
    output, raw, target, mask = made(kind, spread=size)
    raw = raw.float().requires_grad_()
    loss = output.loss(raw, target.float(), mask)
    loss.backward()
    assert loss.isfinite()
    assert raw.grad.isfinite().all()
    assert output.mean(raw).isfinite().all()
    if kind != "point":
        assert output.quantiles(raw, LEVELS).isfinite().all()


@pytest.mark.parametrize("kind", ["quantile", "mixture"])
def test_half_precision_read_outs_are_computed_in_single(kind):
    output, raw, target, mask = made(kind, spread=100.0)
    half = raw.half()
    loss = output.loss(half, target.half(), mask)
    assert loss.isfinite()
    torch.testing.assert_close(output.quantiles(half, LEVELS), output.quantiles(half.float(), LEVELS))


@pytest.mark.parametrize("kind", ["quantile", "mixture"])
@given(data=st.data())
def test_quantiles_rise_with_their_level(kind, data):
    output = OUTPUTS[kind](CONFIGS[kind])
    values = data.draw(arrays(np.float32, (2, 1, 1, output.parameters), elements=st.floats(-50, 50, width=32)))
    quantiles = output.quantiles(torch.from_numpy(values), torch.linspace(0.01, 0.99, 40))
    rounding = 1e-6 * quantiles.abs().max() + 1e-6
    assert (quantiles.diff() >= -rounding).all()


@pytest.mark.parametrize("kind", ["quantile", "mixture"])
def test_the_mean_is_the_integral_of_the_quantile_function(kind):
    output, raw, _, _ = made(kind)
    levels = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    raw = raw[:1, :3, :1]
    torch.testing.assert_close(output.mean(raw), output.quantiles(raw, levels).mean(-1), rtol=1e-3, atol=1e-3)


def crps(output, raw, target):
    """Twice the mean pinball loss over many levels, which is the CRPS by its quantile form."""
    levels = (torch.arange(199, dtype=torch.float64) + 1) / 200
    error = target.unsqueeze(-1) - output.quantiles(raw, levels)
    return 2 * torch.maximum(levels * error, (levels - 1) * error).mean().item()


@pytest.mark.parametrize("kind", ["quantile", "mixture"])
def test_the_distribution_that_made_the_data_has_the_least_crps_and_loss(kind):
    output = OUTPUTS[kind](HeadConfig(kind=kind, components=1))
    target = torch.randn(1, 4000, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mask = torch.ones_like(target, dtype=torch.bool)
    true = torch.zeros(1, 1, 1, output.parameters, dtype=torch.float64)
    if kind == "mixture":
        true[..., 2] = np.log(np.expm1(1 - SMALLEST_SCALE))
    shift = torch.zeros_like(true)
    shift[..., output.parameters // 2] = 0.5  # the median, or the mean of the one component
    width = torch.ones_like(true) * (shift == 0)
    rivals = [true + shift, true - shift, true + width, true - width]
    assert crps(output, true, target) < min(crps(output, rival, target) for rival in rivals)
    best = output.loss(true.expand(1, 4000, 1, -1), target, mask)
    assert all(best < output.loss(rival.expand(1, 4000, 1, -1), target, mask) for rival in rivals)
    assert crps(output, true, target) == pytest.approx(1 / np.sqrt(np.pi), rel=0.05)  # of a standard normal


@pytest.mark.parametrize("kind", ["quantile", "mixture"])
def test_a_fit_finds_the_quantiles_of_skewed_noise(kind):
    """One read-out for all days, fitted to draws from two normals, a narrow one and a wide one above it."""
    torch.manual_seed(0)
    output = OUTPUTS[kind](CONFIGS[kind])
    wide = torch.rand(1, 4000, 1) < 0.3
    target = torch.where(wide, 1.2 + 0.8 * torch.randn(wide.shape), -0.5 + 0.3 * torch.randn(wide.shape))
    raw = (0.3 * torch.randn(output.parameters)).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.1)
    for _ in range(250):
        optimizer.zero_grad()
        output.loss(raw.expand(1, 4000, 1, -1), target, torch.ones_like(wide)).backward()
        optimizer.step()
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    fitted = output.quantiles(raw.detach().view(1, 1, 1, -1), torch.tensor(levels))[0, 0, 0]
    true = [
        brentq(lambda x, q=q: 0.7 * norm.cdf(x, -0.5, 0.3) + 0.3 * norm.cdf(x, 1.2, 0.8) - q, -9, 9) for q in levels
    ]
    np.testing.assert_allclose(fitted, true, atol=0.1)
    assert output.mean(raw.detach().view(1, 1, 1, -1)).item() == pytest.approx(0.01, abs=0.1)


# --- point ------------------------------------------------------------------------------------------------------------


def test_a_point_is_judged_by_squared_error():
    output, raw, target, mask = made("point")
    assert output.loss(raw, target, mask).item() == pytest.approx(((raw[..., 0] - target)[mask] ** 2).mean().item())
    assert output.loss(raw, target, mask) == masked_squared_error(raw[..., 0], target, mask)
    assert torch.equal(output.mean(raw), raw[..., 0])


# --- quantiles --------------------------------------------------------------------------------------------------------


def test_the_default_levels_bracket_ninety_percent():
    levels = Quantiles(HeadConfig()).levels
    np.testing.assert_allclose(levels, np.arange(1, 20) / 20)


def test_pinball_agrees_with_scikit_learn():
    output, raw, target, mask = made("quantile")
    values = output.quantiles(raw, output.levels)[mask].numpy()
    losses = [
        mean_pinball_loss(target[mask].numpy(), values[:, i], alpha=alpha.item())
        for i, alpha in enumerate(output.levels)
    ]
    assert output.loss(raw, target, mask).item() == pytest.approx(np.mean(losses), rel=1e-9)


@given(arrays(np.float32, (1, 1, 1, 9), elements=st.floats(-1e6, 1e6, width=32)))
def test_read_out_quantiles_never_cross(values):
    assert (Quantiles(HeadConfig(quantiles=9)).at_levels(torch.from_numpy(values)).diff() >= 0).all()


def test_a_read_out_of_zeros_says_the_standard_normal():
    output = Quantiles(HeadConfig())
    zeros = torch.zeros(1, 1, 1, 19, dtype=torch.float64)
    expected = norm.ppf(np.arange(1, 20) / 20)
    np.testing.assert_allclose(output.quantiles(zeros, output.levels)[0, 0, 0], expected, atol=1e-12)
    assert output.mean(zeros).item() == pytest.approx(0, abs=1e-12)


def test_between_levels_lines_and_beyond_them_the_outermost_slope():
    output, raw, _, _ = made("quantile")
    at = output.at_levels(raw)
    asked = torch.tensor([0.025, 0.05, 0.06, 0.525, 0.95, 0.975], dtype=torch.float64)
    found = output.quantiles(raw, asked)
    expected = [
        at[..., 0] - (at[..., 1] - at[..., 0]) / 2,
        at[..., 0],
        at[..., 0] + (at[..., 1] - at[..., 0]) * 0.2,
        (at[..., 9] + at[..., 10]) / 2,
        at[..., 18],
        at[..., 18] + (at[..., 18] - at[..., 17]) / 2,
    ]
    torch.testing.assert_close(found, torch.stack(expected, -1))


@pytest.mark.parametrize("count", [3, 5, 19, 199])
def test_the_mean_of_a_straight_quantile_function_is_its_middle(count):
    """A uniform flux, for which lines and tails are exact."""
    output = Quantiles(HeadConfig(quantiles=count))
    straight = 2.0 + 3.0 * output.levels
    gap = straight.diff() / output.gap_scale
    raw = torch.log(torch.expm1(gap))
    raw = torch.cat([raw[: count // 2], straight[[count // 2]], raw[count // 2 :]]).view(1, 1, 1, -1)
    assert output.mean(raw).item() == pytest.approx(3.5, abs=1e-9)


# --- mixture ----------------------------------------------------------------------------------------------------------


def test_negative_log_likelihood_agrees_with_scipy():
    output, raw, target, mask = made("mixture")
    log_weight, mean, scale = output.split(raw)
    density = (log_weight.exp().numpy() * norm.pdf(target.numpy()[..., None], mean.numpy(), scale.numpy())).sum(-1)
    assert output.loss(raw, target, mask).item() == pytest.approx(-np.log(density[mask.numpy()]).mean(), rel=1e-9)
    torch.testing.assert_close(log_weight.exp().sum(-1), torch.ones(SHAPE, dtype=torch.float64))


def test_quantiles_of_a_mixture_agree_with_a_root_finder():
    output, raw, _, _ = made("mixture", spread=2.0)
    found = output.quantiles(raw, LEVELS)
    weight, mean, scale = (part.numpy() for part in output.split(raw))
    weight = np.exp(weight)
    for place in np.ndindex(2, 3, 2):
        for i, level in enumerate(LEVELS.tolist()):

            def gap(x, place=place, level=level):
                return (weight[place] * norm.cdf(x, mean[place], scale[place])).sum() - level

            assert found[place][i].item() == pytest.approx(brentq(gap, -100, 100, xtol=1e-12), abs=1e-8)


def test_one_component_is_a_normal():
    output = Mixture(HeadConfig(kind="mixture", components=1))
    raw = torch.tensor([0.3, 1.7, 0.4], dtype=torch.float64).view(1, 1, 1, 3)
    scale = np.log1p(np.exp(0.4)) + SMALLEST_SCALE
    np.testing.assert_allclose(output.quantiles(raw, LEVELS)[0, 0, 0], norm.ppf(LEVELS, 1.7, scale), rtol=1e-9)
    assert output.mean(raw).item() == pytest.approx(1.7)


def test_a_repeated_value_cannot_earn_endless_density():
    output = Mixture(HeadConfig(kind="mixture", components=1))
    raw = torch.tensor([0.0, 0.0, -1e6]).view(1, 1, 1, 3)
    zero = torch.zeros(1, 1, 1)
    assert output.loss(raw, zero, zero == 0).item() == pytest.approx(-norm.logpdf(0, 0, SMALLEST_SCALE), rel=1e-5)
