"""Each piece of knowledge: nothing where it is obeyed, something where it is broken, and a push the right way."""

from dataclasses import replace

import pytest
import torch
from batches import made_up_batch, made_up_layout
from raciflux.config.knowledge import NEEDS, SPEAKS_OF, KnowledgeConfig
from raciflux.config.schema import DataConfig
from raciflux.contracts import Batch, TargetScale, WindowLayout
from raciflux.datamodules import PAIRS
from raciflux.modules.knowledge import PHOTONS, TERMS, WARMTH_BAND, Knowledge, judged_days, knowledge_of
from raciflux.modules.knowledge.spells import EVERY, SPELL
from raciflux.modules.knowledge.terms import MOST_A_PHOTON, TOLERANCE
from raciflux.variables import PHOTONS_PER_JOULE, TARGETS

WINDOW = WindowLayout(warmup=20, scored=160, block_days=30, history=3)
INPUTS = {"TA": (10.0, 8.0), "SW": (150.0, 80.0), "VPD": (5.0, 4.0), "PPFD": (300.0, 160.0), "TA_MAX": (14.0, 9.0)}
FAST = ("TA", "SW", "VPD")


def scale(spread: float = 2.0) -> TargetScale:
    return TargetScale("gC m-2 d-1", 1.0, spread)


def knowledge(pair: str, fast=FAST, spreads=(2.0, 2.0, 2.0), **weights: float) -> Knowledge:
    targets = PAIRS[pair].pair.targets
    layout = replace(made_up_layout(window=WINDOW), targets=targets, fast=fast)
    scales = [scale(spread) for spread, _ in zip(spreads, targets, strict=False)]
    made = knowledge_of(KnowledgeConfig(**weights), pair, layout, scales, INPUTS)
    assert made is not None
    return made


def batch_of(pair: str, fast=FAST, missing: float = 0.0) -> Batch:
    layout = replace(made_up_layout(window=WINDOW), targets=PAIRS[pair].pair.targets, fast=fast)
    return made_up_batch(layout, size=9, missing=missing)


def steady(batch: Batch, *fluxes: float) -> torch.Tensor:
    """Predictions (batch, day, target) that are the same each day."""
    return torch.tensor(fluxes).expand(*batch["fast"].shape[:2], -1).clone().requires_grad_()


def unasked(_: Batch) -> list[torch.Tensor]:
    raise AssertionError("this term has no response to ask for")


# --- fluxes between bounds --------------------------------------------------------------------------------------------

LOW, HIGH = TARGETS["GPP"].plausible


@pytest.mark.parametrize(
    ("term", "pair", "obeyed", "broken", "penalty", "up"),
    [
        ("balance", "terrestrial_carbon", (3.0, -3.0), (3.0, -4.0), 1.0 / 3.0, (True, True)),
        ("non_negative", "cropland_gpp", (0.0,), (-1.0,), 0.5, (True,)),
        ("non_negative", "terrestrial_carbon", (0.1, -9.0), (-1.0, -9.0), 0.5, (True, None)),
        ("non_negative", "carbon_balance", (0.0, 0.0, -5.0), (-1.0, -2.0, -5.0), 1.5, (True, True, None)),
        ("range", "cropland_gpp", (HIGH,), (HIGH + 4.0,), 2.0, (False,)),
        ("range", "cropland_gpp", (LOW,), (LOW - 4.0,), 2.0, (True,)),
        ("range", "wetland_ch4", (4999.0,), (5001.0,), 0.5, (False,)),
    ],
)
def test_a_bound_costs_nothing_inside_and_pushes_back_from_outside(term, pair, obeyed, broken, penalty, up):
    """The penalty is the mean excess over the spread: 2, and 4 of NEE."""
    spreads = (2.0, 4.0 if pair == "terrestrial_carbon" else 2.0, 2.0)
    known, batch = knowledge(pair, spreads=spreads, **{term: 1.0}), batch_of(pair)
    inside, outside = steady(batch, *obeyed), steady(batch, *broken)
    assert known.penalties(batch, [inside], unasked)[term].item() == 0.0
    cost = known.penalties(batch, [outside], unasked)[term]
    assert cost.item() == pytest.approx(penalty, rel=1e-5)
    cost.backward()
    assert outside.grad is not None
    for place, rises in enumerate(up):
        moved = -outside.grad[..., place].sum()
        assert moved == 0 if rises is None else (moved > 0) == rises


def test_several_answers_count_alike():
    batch = batch_of("cropland_gpp")
    known = knowledge("cropland_gpp", non_negative=1.0)
    answers = [steady(batch, -2.0), steady(batch, 1.0)]
    assert known.penalties(batch, answers, unasked)["non_negative"].item() == pytest.approx(0.5)


@pytest.mark.parametrize(("driver", "photons"), [("SW", PHOTONS_PER_JOULE), ("PPFD", 1.0)])
def test_no_more_is_fixed_than_the_light_allows_and_nothing_in_the_dark(driver, photons):
    fast = ("TA", driver)
    batch = batch_of("cropland_gpp", fast, missing=0.2)
    known = knowledge("cropland_gpp", fast, light=1.0)
    mean, std = INPUTS[driver]
    light = (batch["fast"][..., 1] * std + mean).clamp(min=0.0) * photons
    most = (MOST_A_PHOTON * light)[..., None]
    assert 0.109 < MOST_A_PHOTON < 0.111, "gC m-2 d-1 a umol m-2 s-1"
    assert (most == 0).any(), "some day is dark"
    for over, penalty in ((0.0, 0.0), (0.6, 0.3)):
        answer = most + over
        cost = known.penalties(batch, [answer], lambda _, same=answer: [same])["light"]
        assert cost.item() == pytest.approx(penalty, abs=1e-6)


# --- responses --------------------------------------------------------------------------------------------------------


def responding(slope: torch.Tensor, place: int, driver: str, targets: int, target: int):
    """A network whose flux ``target`` follows a driver by ``slope`` per unit, and stays high."""
    mean, std = INPUTS[driver]

    def answer(batch: Batch) -> list[torch.Tensor]:
        value = batch["fast"][..., place] * std + mean
        parts = [10.0 + slope * value if i == target else torch.full_like(value, 3.0) for i in range(targets)]
        return [torch.stack(parts, -1)]

    return answer


RESPONSES = [
    ("temperature", "wetland_ch4", "TA", 0, 1, 0, 2.0),
    ("temperature", "carbon_balance", "TA", 0, 3, 1, 2.0),
    ("temperature", "terrestrial_carbon", "TA", 0, 2, 1, 2.0),
    ("light", "carbon_balance", "SW", 1, 3, 0, 20.0),
    ("light", "cropland_gpp", "PPFD", 1, 1, 0, 20.0 * PHOTONS_PER_JOULE),
]


@pytest.mark.parametrize(("term", "pair", "driver", "place", "targets", "target", "step"), RESPONSES)
def test_a_flux_that_rises_with_the_driver_obeys_and_one_that_falls_is_pushed_up(
    term, pair, driver, place, targets, target, step
):
    fast = ("TA", driver) if place else ("TA", "SW")
    batch, known = batch_of(pair, fast), knowledge(pair, fast, **{term: 1.0})
    known.terms[term] = known.terms[term][:1]  # the response alone
    for per_step, penalty in ((0.4, 0.0), (-1.9 * TOLERANCE, 0.0), (-0.4, 0.2 - TOLERANCE)):
        slope = torch.tensor(per_step / step, requires_grad=True)
        answer = responding(slope, place, driver, targets, target)
        cost = known.penalties(batch, answer(batch), answer)[term]
        assert cost.item() == pytest.approx(penalty, abs=1e-4)
        cost.backward()
        assert slope.grad is not None
        assert (slope.grad < 0) == (penalty > 0)


def test_spells_raise_what_is_known_by_the_step_and_only_the_drivers_of_warmth():
    fast = ("SW", "TA_MAX", "TA")
    batch = batch_of("wetland_ch4", fast, missing=0.3)
    (response,) = knowledge("wetland_ch4", fast, temperature=1.0).terms["temperature"]
    torch.manual_seed(0)
    raised, days = response.spell.put(batch)
    change = raised["fast"] - batch["fast"]
    inside = change[..., 1:].abs().sum(-1) > 0
    assert not change[..., 0].any()
    for place, name in enumerate(fast[1:], start=1):
        known = (batch["fast_mask"][..., place] > 0) & inside
        torch.testing.assert_close(change[..., place][known], torch.full((int(known.sum()),), 2.0 / INPUTS[name][1]))
        assert not change[..., place][batch["fast_mask"][..., place] == 0].any()
    low, high = WARMTH_BAND["FCH4"]
    warmth = batch["fast"][..., 2] * 8.0 + 10.0
    assert torch.equal(days, days & inside & (batch["fast_mask"][..., 2] > 0) & (warmth >= low) & (warmth <= high))
    assert days.any() and (inside & ~days).any(), "some day of a spell is outside the band"
    assert inside.float().mean().item() == pytest.approx(SPELL / EVERY, rel=0.4)
    assert len({tuple(row.tolist()) for row in inside}) > 3, "windows have spells at times of their own"
    for name in ("slow", "fast_mask", "static", "target"):
        assert raised[name] is batch[name]


# --- which days -------------------------------------------------------------------------------------------------------


def test_days_count_from_the_end_of_warm_up_to_the_last_day_trained_on_where_a_driver_is_known():
    batch = batch_of("cropland_gpp")
    batch["target_mask"][:] = False
    batch["target_mask"][0, 100] = batch["target_mask"][1, [30, 50]] = True
    batch["fast_mask"][0, 40:60] = 0.0
    days = judged_days(batch, WINDOW.warmup)
    assert days[0].nonzero().flatten().tolist() == [*range(20, 40), *range(60, 101)]
    assert days[1].nonzero().flatten().tolist() == [*range(20, 51)]
    assert not days[2:].any()


def test_a_fault_on_days_that_do_not_count_costs_nothing():
    batch = batch_of("cropland_gpp")
    days = judged_days(batch, WINDOW.warmup)
    flux = torch.where(days[..., None], 1.0, -50.0)
    known = knowledge("cropland_gpp", non_negative=1.0, range=1.0)
    assert not any(known.penalties(batch, [flux], unasked).values())
    nothing = {**batch, "target_mask": torch.zeros_like(batch["target_mask"])}
    assert not any(known.penalties(nothing, [steady(batch, -50.0)], unasked).values())


# --- tables -----------------------------------------------------------------------------------------------------------


def test_the_tables_name_pairs_fluxes_and_drivers_that_there_are():
    assert set(TERMS) == set(KnowledgeConfig().__dict__)
    assert set(SPEAKS_OF) | {"range"} == set(TERMS)
    for term, pairs in SPEAKS_OF.items():
        for pair, fluxes in pairs.items():
            implied = {"RECO"} if {"NEE", "GPP"} <= set(PAIRS[pair].pair.targets) else set()
            assert set(fluxes) <= set(PAIRS[pair].pair.targets) | implied, (term, pair)
            drivers = PAIRS[pair].pair.required + PAIRS[pair].pair.optional
            assert set(NEEDS.get(term, drivers)) & set(drivers), (term, pair)
    assert {name for fluxes in SPEAKS_OF["temperature"].values() for name in fluxes} == set(WARMTH_BAND)
    assert set(NEEDS["light"]) == set(PHOTONS)
    assert {pair for pairs in SPEAKS_OF.values() for pair in pairs} <= set(PAIRS)


def test_every_pair_has_a_term_and_every_term_a_pair():
    assert knowledge_of(KnowledgeConfig(), "cropland_gpp", made_up_layout(1), [scale()], INPUTS) is None
    for pair in PAIRS:
        assert DataConfig(pair=pair).pair == pair
        of_pair = [name for name in TERMS if pair in SPEAKS_OF.get(name, PAIRS)]
        known = knowledge(pair, **dict.fromkeys(of_pair, 0.5))
        assert list(known.terms) == of_pair and known.weights == dict.fromkeys(of_pair, 0.5)
