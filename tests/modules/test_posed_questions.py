"""What a question of training shows of a window, and what it then asks about."""

import pytest
import torch
from batches import made_up_batch, made_up_layout
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.config.raci import QUESTIONS
from raciflux.contracts import WindowLayout
from raciflux.modules.visibility import BORDER, pose

WINDOW = WindowLayout(warmup=20, scored=240, block_days=30, history=3)
LAYOUT = made_up_layout(window=WINDOW)
BATCH = made_up_batch(LAYOUT, missing=0.2)


def posed(questions, seed=0, batch=BATCH):
    torch.manual_seed(seed)
    return pose(batch, questions, WINDOW.warmup)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=4, unique=True), st.integers(0, 10_000))
def test_no_day_that_counts_is_shown(questions, seed):
    """Rule 1, in training as in testing."""
    batch = posed(questions, seed)
    assert not (batch["own_mask"] & batch["target_mask"]).any()
    assert not (batch["own_mask"] & ~BATCH["target_mask"]).any(), "only days that may be learned from are shown"
    assert not (batch["target_mask"] & ~BATCH["target_mask"]).any()
    assert (batch["own"][~batch["own_mask"]] == 0).all()
    assert batch["target_mask"].any((1, 2)).all(), "each window has something to learn from"


def test_an_unseen_site_shows_nothing_and_is_asked_everything():
    batch = posed(["unseen"])
    assert not batch["own_mask"].any() and torch.equal(batch["target_mask"], BATCH["target_mask"])


def test_a_few_days_are_one_run_and_all_others_count():
    batch = posed(["few_shot"])
    for mask, own, known in zip(batch["target_mask"], batch["own_mask"], BATCH["target_mask"], strict=True):
        days = own.any(-1).nonzero().ravel()
        if len(days):
            inside = torch.arange(len(own))
            inside = (inside >= days.min()) & (inside <= days.max())
            assert torch.equal(own, known & inside[:, None])
        assert torch.equal(mask, known & ~own)


def test_new_years_come_after_all_that_is_shown():
    batch = posed(["new_years"])
    for mask, own in zip(batch["target_mask"].any(-1), batch["own_mask"].any(-1), strict=True):
        if own.any():
            assert own.nonzero().max() < mask.nonzero().min()


def test_a_gap_has_a_border_that_is_neither_shown_nor_asked():
    whole = {**BATCH, "target_mask": torch.zeros_like(BATCH["target_mask"])}
    whole["target_mask"][:, WINDOW.warmup :] = True
    batch = posed(["gap"], batch=whole)
    for mask, own in zip(batch["target_mask"].any(-1), batch["own_mask"].any(-1), strict=True):
        first, last = mask.nonzero().min(), mask.nonzero().max()
        assert mask[first : last + 1].all(), "one gap"
        near = torch.zeros_like(mask)
        near[max(first - BORDER, 0) : last + BORDER + 1] = True
        assert torch.equal(own[WINDOW.warmup :], ~near[WINDOW.warmup :])


@pytest.mark.parametrize("questions", [["few_shot"], ["gap"], ["new_years"]])
def test_a_window_of_one_known_day_is_asked_as_an_unseen_site_or_about_that_day(questions):
    lonely = {**BATCH, "target_mask": torch.zeros_like(BATCH["target_mask"])}
    lonely["target_mask"][:, WINDOW.warmup + 100, 0] = True
    batch = posed(questions, batch=lonely)
    assert torch.equal(batch["target_mask"], lonely["target_mask"]) and not batch["own_mask"].any()


def test_every_question_is_asked():
    batch = posed(QUESTIONS, batch=made_up_batch(LAYOUT, size=64))
    assert 4 < int((~batch["own_mask"].any((1, 2))).sum()) < 40
