"""Each fault of X-MethaneWet's published code, shown, beside the corrected model that does not have it."""

from dataclasses import replace

import pytest
import torch
from raciflux.config.compose import compose, from_yaml, to_yaml
from raciflux.config.help import help_text
from raciflux.config.models import MODELS
from raciflux.config.paper_models import PAPER_MODELS, PAPER_PARTS
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import Batch, Layout, TargetScale, WindowLayout
from raciflux.errors import UserError
from raciflux.modules import NETWORKS, TRAINABLE
from raciflux.modules.flux_module import FluxModule
from raciflux.modules.paper_compat import PAPER_NETWORKS
from torch import nn

WINDOW = WindowLayout(warmup=4, scored=12, block_days=4, history=3)
LAYOUT = Layout(("FCH4",), ("TA", "P"), ("TA_30d", "P_30d"), ("elevation",), ("wetland",), (6,), WINDOW)
DAY = 9
every_paper_network = pytest.mark.parametrize("name", PAPER_NETWORKS)


def made_up(layout: Layout = LAYOUT, size: int = 5) -> Batch:
    """Windows of noise with every label there."""
    rng = torch.Generator().manual_seed(0)
    days, blocks = layout.window.days, layout.window.blocks

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng)

    counts = torch.arange(days) >= layout.window.warmup
    return Batch(
        fast=noise(size, days, len(layout.fast)),
        fast_mask=torch.ones(size, days, len(layout.fast)),
        slow=noise(size, blocks, len(layout.slow)),
        slow_mask=torch.ones(size, blocks, len(layout.slow)),
        static=noise(size, len(layout.static)),
        static_mask=torch.ones(size, len(layout.static)),
        classes=torch.randint(0, 6, (size, len(layout.classes)), generator=rng),
        target=noise(size, days, len(layout.targets)),
        target_mask=counts[None, :, None].expand(size, days, len(layout.targets)).clone(),
        own=torch.zeros(size, days, len(layout.targets)),
        own_mask=torch.zeros(size, days, len(layout.targets), dtype=torch.bool),
        site=torch.arange(size),
        day=torch.zeros(size, dtype=torch.int64),
    )


def build(name: str, layout: Layout = LAYOUT) -> nn.Module:
    """A network of either table, its weights large enough for every input to show."""
    torch.manual_seed(1)
    network = TRAINABLE[name]((MODELS | PAPER_MODELS)[name](), layout, HeadConfig())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return network.eval()


def flux(network: nn.Module, batch: Batch) -> torch.Tensor:
    """The read-out (batch, day)."""
    with torch.no_grad():
        read: torch.Tensor = network(batch)
    return read[:, :, 0, 0]


def first_alone(batch: Batch) -> Batch:
    return Batch(**{name: value[:1] for name, value in batch.items()})  # type: ignore[typeddict-item]


# --- what was published -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "weights"), [("paper_lstm", 1961), ("paper_ea_lstm", 433)])
def test_the_published_number_of_weights(name, weights):
    """Fifteen inputs: ten that do not change and five drivers, at hidden 8."""
    drivers = ("PREC", "SOLR", "TAIR", "VAPR", "NPP")
    layout = replace(LAYOUT, fast=drivers, static=tuple("abcdefg"), classes=("x", "y", "z"), class_sizes=(5, 3, 4))
    network = PAPER_NETWORKS[name](PAPER_MODELS[name](), layout, HeadConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) == weights


@every_paper_network
def test_shape_parts_and_causality_where_claimed(name):
    network, batch = build(name), made_up()
    assert network(batch).shape == (5, WINDOW.days, 1, 1)
    assert tuple(part for part, _ in network.named_children()) == PAPER_PARTS[name]
    assert changed_by_later_days(network, batch) == (not network.causal)


# --- attention across the batch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "depends"), [("paper_transformer", True), ("transformer", False)])
def test_batch_mates_change_the_flux(name, depends):
    network, batch = build(name), made_up()
    together, alone = flux(network, batch)[0], flux(network, first_alone(batch))[0]
    assert bool((together - alone).abs().max() > 1e-3) == depends


@pytest.mark.parametrize(("name", "looks_back"), [("paper_transformer", False), ("transformer", True)])
def test_a_day_knows_no_other_day(name, looks_back):
    """Attention that runs across the batch leaves each day alone: the weather of the days before changes nothing."""
    network, batch = build(name), made_up()
    other = batch["fast"].clone()
    other[:, :DAY] = other[:, :DAY].roll(1, dims=0) * 5
    difference = (flux(network, batch | {"fast": other}) - flux(network, batch)).abs()
    assert bool(difference[:, DAY].max() > 1e-6) == looks_back
    assert difference[:, DAY - 1].max() > 1e-3


# --- days as channels -------------------------------------------------------------------------------------------------


def changed_by_later_days(network: nn.Module, batch: Batch) -> bool:
    other = batch["fast"].clone()
    other[:, DAY + 1 :] += 1.0
    difference = (flux(network, batch | {"fast": other}) - flux(network, batch)).abs()
    assert difference[:, DAY + 1 :].max() > 1e-3
    return bool(difference[:, : DAY + 1].max() > 1e-6)


@pytest.mark.parametrize(("name", "acausal"), [("paper_tcn", True), ("tcn", False)])
def test_later_days_change_earlier_ones(name, acausal):
    assert changed_by_later_days(build(name), made_up()) == acausal


@pytest.mark.parametrize(("name", "all_days"), [("paper_tcn", True), ("tcn", False)])
def test_the_window_s_length_is_built_into_the_weights(name, all_days):
    """With days as channels there is a weight for each pair of days, and a longer window is another network."""
    longer = replace(LAYOUT, window=replace(WINDOW, scored=WINDOW.scored + WINDOW.block_days))
    sizes = [sum(weight.numel() for weight in build(name, layout).parameters()) for layout in (LAYOUT, longer)]
    assert (sizes[0] != sizes[1]) == all_days


def test_all_taps_but_the_last_of_the_published_convolution_meet_padding_alone():
    """What the convolution along time was meant for never happens."""
    network, batch = build("paper_tcn"), made_up()
    before = flux(network, batch)
    with torch.no_grad():
        for convolution in (module for module in network.modules() if isinstance(module, nn.Conv1d)):
            # Weight norm ties the taps' lengths, not their product with the data: it is taken off first.
            nn.utils.parametrize.remove_parametrizations(convolution, "weight")
            convolution.weight[:, :, :-1] = 7.0
    torch.testing.assert_close(flux(network, batch), before)


# --- codes as numbers -------------------------------------------------------------------------------------------------


def monotone_in_the_code(name: str) -> bool:
    """Whether the mean flux of a window only rises, or only falls, from class 0 to class 5.

    Weights are positive and small, so that each network rises with each of its numbers; a code that is one of them can
    do nothing else. Embeddings have any sign, as training gives them.
    """
    batch = first_alone(made_up())
    for seed in range(5):
        network = build(name)
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.copy_(0.1 * torch.randn_like(parameter).abs())
            for embedding in (module for module in network.modules() if isinstance(module, nn.Embedding)):
                nn.init.normal_(embedding.weight)
        level = torch.stack([flux(network, batch | {"classes": torch.tensor([[code]])}).mean() for code in range(6)])
        steps = level.diff()
        if not ((steps > 0).all() or (steps < 0).all()):
            return False
    return True


@pytest.mark.parametrize(
    ("name", "ordered"),
    [("paper_lstm", True), ("paper_ea_lstm", True), ("ct_lstm", False), ("ea_lstm", False)],
)
def test_relabelled_classes_move_the_flux_in_the_order_of_their_codes(name, ordered):
    assert monotone_in_the_code(name) == ordered


@pytest.mark.parametrize("name", ["paper_lstm", "paper_ea_lstm", "paper_tcn", "paper_transformer"])
def test_a_code_is_one_number_among_the_inputs(name):
    """Class 4 of six reads (4 - 2.5) / 1.708, as if it were more of something than class 3."""
    network = build(name)
    codes = torch.arange(6)[:, None]
    batch = made_up(size=6)
    as_number = network.inputs(batch | {"classes": codes})[:, 0, 1]
    torch.testing.assert_close(as_number, (codes[:, 0] - 2.5) / torch.arange(6.0).std(correction=0))
    assert not any(isinstance(module, nn.Embedding) for module in network.modules())


# --- a gap discards the batch -----------------------------------------------------------------------------------------


def trained_on(name: str, batch: Batch) -> bool:
    """Whether a step on this batch moves the network."""
    torch.manual_seed(0)
    network = TRAINABLE[name]((MODELS | PAPER_MODELS)[name](), LAYOUT, HeadConfig())
    module = FluxModule(network, LAYOUT, HeadConfig(), [TargetScale("1", 0.0, 1.0)], 5, StageConfig())
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    module.training_step(batch, 0).backward()
    return any(parameter.grad is not None and bool(parameter.grad.any()) for parameter in network.parameters())


@every_paper_network
def test_one_missing_label_drops_the_whole_batch(name):
    batch = made_up()
    assert trained_on(name, batch)
    batch["target_mask"][2, DAY] = False
    assert not trained_on(name, batch)


@pytest.mark.parametrize("name", ["ct_lstm", "ea_lstm", "tcn", "transformer"])
def test_the_corrected_ones_learn_from_the_labels_that_are_there(name):
    batch = made_up()
    batch["target_mask"][2, DAY] = False
    assert trained_on(name, batch)


# --- only when asked for ----------------------------------------------------------------------------------------------


@every_paper_network
def test_built_only_under_paper_compat(name):
    assert compose([f"model={name}", "paper_compat=true"]).model == PAPER_MODELS[name]()
    with pytest.raises(UserError, match=rf"add paper_compat=true .* or take model={name.removeprefix('paper_')}$"):
        compose([f"model={name}"])


def test_paper_compat_with_another_model_is_refused():
    with pytest.raises(UserError, match=r"not with model=lstm; take paper_compat=false"):
        compose(["model=lstm", "paper_compat=true"])


def test_written_and_read_again(tmp_path):
    config = compose(["model=paper_tcn", "paper_compat=true"])
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert from_yaml(tmp_path / "config.yaml") == config


def test_they_stand_apart_from_the_networks_of_the_house():
    assert set(PAPER_MODELS) == set(PAPER_NETWORKS) == set(PAPER_PARTS)
    assert not set(PAPER_NETWORKS) & (set(NETWORKS) | set(MODELS))
    assert all(name in help_text() for name in PAPER_MODELS)


def test_heads_that_do_not_divide_the_width():
    with pytest.raises(UserError, match=r"model\.hidden=10: no multiple of the published 4 heads"):
        PAPER_NETWORKS["paper_transformer"](
            replace(PAPER_MODELS["paper_transformer"](), hidden=10), LAYOUT, HeadConfig()
        )
