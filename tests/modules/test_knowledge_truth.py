"""On the embedded world, where the truth is known: it obeys every term, and who trains with one breaks it less."""

from pathlib import Path

import numpy as np
import pytest
import torch
from raciflux.config.knowledge import SPEAKS_OF, KnowledgeConfig
from raciflux.config.models import LstmConfig
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import Batch
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules.baselines.lstm import Lstm
from raciflux.modules.flux_module import FluxModule
from raciflux.modules.knowledge import Knowledge, knowledge_of

from embedded_worlds import TrueWorld, embedded_data, truth_of
from worlds import quiet_trainer

WORLDS = ("cropland_gpp", "terrestrial_carbon", "carbon_balance", "wetland_ch4")
SPOKEN = [(pair, term) for term in (*SPEAKS_OF, "range") for pair in SPEAKS_OF.get(term, WORLDS) if pair in WORLDS]
WEATHER = {"TA": "ta", "TA_MIN": "ta_min", "TA_MAX": "ta_max", "SW": "sw"}
STEPS = 40


@pytest.fixture(scope="module")
def worlds() -> dict[str, FluxDataModule]:
    return {pair: embedded_data(pair) for pair in WORLDS}


def known_of(data: FluxDataModule, **weights: float) -> Knowledge | None:
    scaler = data.scaler
    return knowledge_of(KnowledgeConfig(**weights), data.pair.name, data.layout, scaler.targets, scaler.inputs)


def every_day(data: FluxDataModule, step: int = 210) -> Batch:
    """Windows of all sites through all years, each scored day inside the record trained on."""
    days = data.cube.sizes["time"]
    starts = range(-data.window.warmup, days - data.window.days, step)
    index = torch.tensor([[site, day] for site in range(len(data.train_sites)) for day in starts])
    batch = data.arrays.gather(index, "train")
    scored = torch.arange(data.window.days) >= data.window.warmup
    batch["target_mask"] = scored[None, :, None].expand_as(batch["target_mask"])
    return batch


def laid_out(series: np.ndarray, batch: Batch) -> torch.Tensor:
    """Windows (batch, day, target) of a series (site, day, target); its first day stands for those before it."""
    day = (batch["day"][:, None] + torch.arange(batch["fast"].shape[1])).clamp(min=0)
    return torch.from_numpy(np.ascontiguousarray(series)).float()[batch["site"][:, None], day]


def truth_asked(data: FluxDataModule, batch: Batch, patch: pytest.MonkeyPatch):
    """What the process model says under the weather of another batch: the steps of its spells, day by day."""
    world = TrueWorld.of(data.pair.name, data.cube)
    shape = (len(data.train_sites), data.cube.sizes["time"])

    def again(raised: Batch) -> list[torch.Tensor]:
        change = (raised["fast"] - batch["fast"]).numpy()
        by = {}
        for place, name in enumerate(data.layout.fast):
            step, std = np.zeros(shape), data.scaler.inputs[name][1]
            for row, (site, first) in enumerate(zip(batch["site"].tolist(), batch["day"].tolist(), strict=True)):
                scored = slice(first + data.window.warmup, first + data.window.days)
                step[site, scored] = change[row, data.window.warmup :, place] * std
            if step.any():
                by[WEATHER[name]] = step
        assert by, "no driver was raised"
        return [laid_out(world.fluxes(data.layout.targets, by, patch), batch)]

    return again


@pytest.mark.parametrize(("pair", "term"), SPOKEN)
def test_the_truth_obeys(worlds, pair, term, monkeypatch):
    """To the last day, but for methane, where a warm spell dries a few wetlands: a thousandth of the spread."""
    data = worlds[pair]
    batch, known = every_day(data), known_of(data, **{term: 1.0})
    assert known is not None
    torch.manual_seed(0)
    truth = laid_out(truth_of(data), batch)
    cost = known.penalties(batch, [truth], truth_asked(data, batch, monkeypatch))[term].item()
    assert cost <= (1e-3 if (pair, term) == ("wetland_ch4", "temperature") else 0.0)


@pytest.mark.parametrize(("pair", "term"), [each for each in SPOKEN if each[1] in ("temperature", "light")])
def test_the_response_that_is_asked_for_is_there(worlds, pair, term, monkeypatch):
    """The truth answers a spell by far more than it ever falls, and its mirror image breaks the term."""
    data = worlds[pair]
    batch, known = every_day(data), known_of(data, **{term: 1.0})
    assert known is not None
    known.terms[term] = known.terms[term][:1]
    asked = truth_asked(data, batch, monkeypatch)
    torch.manual_seed(0)
    mirrored = [-laid_out(truth_of(data), batch)]
    cost = known.penalties(batch, mirrored, lambda other: [-flux for flux in asked(other)])[term].item()
    assert cost > 0.01


# --- training ---------------------------------------------------------------------------------------------------------


def trained(data: FluxDataModule, folder: Path, **weights: float) -> FluxModule:
    torch.manual_seed(0)
    network = Lstm(LstmConfig(hidden=12, dropout=0.1), data.layout, HeadConfig())
    stage = StageConfig(steps=STEPS, learning_rate=0.02)
    sites, known = len(data.train_sites), known_of(data, **weights)
    module = FluxModule(network, data.layout, HeadConfig(), data.scaler.targets, sites, stage, known)
    torch.manual_seed(1)
    quiet_trainer(folder, max_steps=STEPS, limit_val_batches=0).fit(module, datamodule=data)
    return module.eval()


def broken_by(module: FluxModule, data: FluxDataModule, term: str) -> float:
    batch, known = every_day(data), known_of(data, **{term: 1.0})
    assert known is not None
    torch.manual_seed(2)
    with torch.no_grad():
        said = known.penalties(batch, [module.flux(module.network(batch))], lambda b: [module.flux(module.network(b))])
    return said[term].item()


WRONG_SIGN, WRONG_UNIT = -1.0, 10.0  # of what towers report: on records that are right there is little to break


TRAINED = [each for each in SPOKEN if each != ("wetland_ch4", "range")]
FIRST = {term: (pair, term) for pair, term in reversed(TRAINED)}.values()  # one world a term; the others are slow


@pytest.mark.parametrize(
    ("pair", "term"), [pytest.param(*each, marks=() if each in FIRST else pytest.mark.slow) for each in TRAINED]
)
def test_who_trains_with_a_term_breaks_it_less(pair, term, tmp_path):
    data = embedded_data(pair, WRONG_UNIT if term == "range" else WRONG_SIGN)
    without, with_it = (broken_by(trained(data, tmp_path, **{term: weight}), data, term) for weight in (0.0, 10.0))
    assert without > 1e-3
    assert with_it < 0.5 * without
