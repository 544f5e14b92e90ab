"""The slow encoder: each scale is read where it is chosen, and nowhere else."""

from itertools import combinations

import pytest
import torch
from batches import made_up_batch, made_up_layout
from network_checks import woken
from raciflux.config.raci import RaciConfig
from raciflux.contracts import Batch
from raciflux.datamodules.roles import Roles
from raciflux.modules.encoders.slow import SCALES, SlowEncoder
from raciflux.variables import SLOW_SCALES, slow_name, slow_scale

LAYOUT = made_up_layout()
BATCH = made_up_batch(LAYOUT)
WIDTH = 6
# All choices of scales, none and all among them.
CHOICES = [choice for size in range(len(SCALES) + 1) for choice in combinations(SCALES, size)]


def encoder(scales) -> SlowEncoder:
    return woken(SlowEncoder(LAYOUT, WIDTH, 5, 0.0, scales))


def perturbed(scale: str, mask: bool) -> Batch:
    """A batch that differs in what one scale reads, or in its mask."""
    if scale == "classes":
        return BATCH | {"classes": (BATCH["classes"] + 1) % 3}
    role = "static" if scale == "static" else "slow"
    name = f"{role}_mask" if mask else role
    values = BATCH[name].clone()
    columns = [i for i, slow in enumerate(LAYOUT.slow) if scale == "static" or slow_scale(slow) == scale]
    if scale == "static":
        columns = list(range(len(LAYOUT.static)))
    values[..., columns] += 1.0
    return BATCH | {name: values}


def test_the_scales_are_those_of_the_config():
    assert list(SCALES) == RaciConfig().scales
    assert set(SLOW_SCALES) < set(SCALES)


def test_every_slow_input_of_a_run_has_a_scale():
    roles = Roles(("GPP",), ("TA", "SW_POT", "TA_MIN"), (), ())
    assert [slow_scale(name) for name in roles.slow] == ["months"] * 3 + ["years"] * 3
    assert slow_name("TA", SLOW_SCALES["months"]) in roles.slow
    with pytest.raises(KeyError):
        slow_scale("TA_7d")


@pytest.mark.parametrize("scales", CHOICES, ids=lambda choice: "+".join(choice) or "nothing")
def test_a_scale_is_read_where_chosen_and_only_there(scales):
    module = encoder(scales)
    before = module(BATCH)
    assert before.shape == (len(BATCH["site"]), LAYOUT.window.blocks, WIDTH)
    for scale in SCALES:
        for mask in (False, True):
            assert torch.equal(module(perturbed(scale, mask)), before) == (scale not in scales), (scale, mask)


@pytest.mark.parametrize("scales", CHOICES, ids=lambda choice: "+".join(choice) or "nothing")
def test_gradients_reach_every_weight(scales):
    module = SlowEncoder(LAYOUT, WIDTH, 5, 0.0, scales)
    module(BATCH).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_with_nothing_to_read_all_places_share_one_learned_regime():
    regime = encoder([])(BATCH)
    assert (regime == regime[0, 0]).all()
    assert regime.any()


def test_all_scales_are_read_unless_told_otherwise():
    module = woken(SlowEncoder(LAYOUT, WIDTH, 5, 0.0))
    assert set(module.state_dict()) == set(encoder(SCALES).state_dict())
    assert torch.equal(module(BATCH), encoder(SCALES)(BATCH))


@pytest.mark.parametrize("scales", [("months",), ("years",), SCALES])
def test_no_regime_knows_a_later_block(scales):
    module = encoder(scales)
    before = module(BATCH)
    for block in range(LAYOUT.window.blocks):
        later = (torch.arange(LAYOUT.window.blocks) > block)[None, :, None]
        told = {name: torch.where(later, 3.0 - BATCH[name], BATCH[name]) for name in ("slow", "slow_mask")}
        after = module(BATCH | told)
        assert torch.equal(after[:, : block + 1], before[:, : block + 1]), block
        assert torch.equal(after, before) == (block == LAYOUT.window.blocks - 1), block


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("scales", CHOICES, ids=lambda choice: "+".join(choice) or "nothing")
def test_a_layout_without_statics_and_classes(scales):
    bare = made_up_layout(places=False)
    regime = SlowEncoder(bare, WIDTH, 5, 0.0, scales)(made_up_batch(bare))
    assert regime.shape == (12, bare.window.blocks, WIDTH)
    assert torch.isfinite(regime).all()
