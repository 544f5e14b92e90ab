"""How far apart both domains lie for a network: the measures, and what a run measures with which weights."""

import json
import math
import statistics
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from batches import made_up_batch, made_up_layout
from neighbourhoods import with_neighbours
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import TargetScale
from raciflux.modules import NETWORKS
from raciflux.modules.flux_module import FluxModule
from raciflux.transfer.domain_gap import PARTS, proxy_a_distance, squared_discrepancy
from raciflux.transfer.embeddings import embeddings_of
from raciflux.workflow import domain_gap as told
from raciflux.workflow import learn
from raciflux.workflow.prepare import simulation_data, tower_data
from raciflux.workflow.stages import StageFolder, build_module
from raciflux.workflow.tracking import TrackedTraining
from sklearn.linear_model import LogisticRegression
from tiny_networks import CONFIGS, every_network
from two_domains import CONFIG, prepared_of, simulated_cube, transferred

from worlds import tiny_cube, tiny_data, tiny_split

RACI = RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3))
RACI.first_guess.trees.rounds = 5


def windows(seed: int, count: int, features: int = 4, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, features))


# --- the measures -----------------------------------------------------------------------------------------------------


def test_domains_that_are_alike_have_no_gap_and_far_ones_the_whole():
    place = np.arange(150) // 5
    alike = [proxy_a_distance(windows(i, 150), windows(100 + i, 150), place, place) for i in range(5)]
    assert 0 <= np.mean(alike) < 0.2 and min(alike) == 0.0, "chance is the worst a classifier can do"
    assert proxy_a_distance(windows(0, 150), windows(1, 150, shift=8.0), place, place) == 2.0
    discrepancy = [squared_discrepancy(windows(i, 150), windows(100 + i, 150)) for i in range(20)]
    assert abs(np.mean(discrepancy)) < 3 * np.std(discrepancy) / math.sqrt(20) < 0.002, "no bias"
    assert squared_discrepancy(windows(0, 60) * 1e-3, windows(1, 60, shift=8.0)) > 0.5
    assert squared_discrepancy(np.ones((5, 3)), np.ones((4, 3))) == 0.0


def test_the_gap_does_not_ask_how_many_windows_a_domain_has():
    many, few = np.arange(400) // 4, np.arange(24) // 2
    alike = [proxy_a_distance(windows(i, 400), windows(100 + i, 24), many, few) for i in range(6)]
    assert np.mean(alike) < 0.4, "to call every window a tower's is no skill"


def test_a_place_is_never_on_both_sides(monkeypatch):
    rng = np.random.default_rng(0)
    place = np.repeat(np.arange(14), 8)
    own = [rng.normal(size=(14, 40))[place] + rng.normal(0, 0.05, (112, 40)) for _ in range(2)]
    assert proxy_a_distance(*own, place, place) < 0.7
    cut = np.arange(112)  # each window a place of its own
    assert proxy_a_distance(*own, cut, cut) == 2.0, "windows of one place on both sides tell the place"
    learned = []
    fit = LogisticRegression.fit

    def watched(self, values, domain):
        learned.append({tuple(row) for row in values.round(6)})
        return fit(self, values, domain)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    proxy_a_distance(place[:, None] * 1.0, place[:, None] * 1.0, place, place)
    assert len(learned) == PARTS and all(len(rows) in (11, 12) for rows in learned), "places are held out whole"


def test_the_a_distance_is_that_of_a_loop_over_parts():
    size = np.array([1.0, 300.0, 1.0, 3e-3])  # of the features, which are standardised by what is learned from
    towers, simulated = windows(0, 90) * size, windows(1, 60, shift=0.7) * size
    tower_place, simulated_place = np.arange(90) // 6, 7 * (np.arange(60) // 6)
    wrong = {True: [], False: []}
    for held in range(PARTS):
        sides = [
            (values[i], is_tower, int(np.searchsorted(np.unique(place), place[i])) % PARTS == held)
            for values, place, is_tower in ((towers, tower_place, True), (simulated, simulated_place, False))
            for i in range(len(values))
        ]
        x, y = (np.array([row[i] for row in sides if not row[2]]) for i in range(2))
        mean, std = x.mean(0), x.std(0)
        model = LogisticRegression(class_weight="balanced", max_iter=1000).fit((x - mean) / std, y)
        for values, is_tower, asked in sides:
            if asked:
                wrong[is_tower].append(model.predict([(values - mean) / std])[0] != is_tower)
    error = (np.mean(wrong[True]) + np.mean(wrong[False])) / 2
    said = proxy_a_distance(towers, simulated, tower_place, simulated_place)
    assert said == pytest.approx(2 * (1 - 2 * error)) and 0.3 < said < 1.8


def test_one_place_tells_no_gap():
    assert proxy_a_distance(windows(0, 10), windows(1, 10), np.zeros(10, int), np.arange(10)) is None
    assert proxy_a_distance(windows(0, 10), windows(1, 10), np.arange(10) % 2, np.arange(10)) is not None


def test_one_window_tells_no_discrepancy():
    """As of a single training tower with less than a year: a number that is none would stand in the record."""
    assert (
        squared_discrepancy(windows(0, 1), windows(1, 10)) is squared_discrepancy(windows(0, 9), windows(1, 1)) is None
    )
    assert squared_discrepancy(windows(0, 2), windows(1, 2)) is not None


def test_the_discrepancy_is_that_of_loops_over_pairs():
    x, y = windows(0, 12), windows(1, 9, shift=0.5)
    both = [*x, *y]
    distances = [math.dist(a, b) for i, a in enumerate(both) for b in both[:i]]
    width = statistics.median(distances)

    def kernel(a, b):
        return math.exp(-(math.dist(a, b) ** 2) / (2 * width**2))

    total = sum(kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / (12 * 11)
    total += sum(kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / (9 * 8)
    total -= 2 * sum(kernel(a, b) for a in x for b in y) / (12 * 9)
    assert squared_discrepancy(x, y) == pytest.approx(total)
    assert squared_discrepancy(1e3 * x, 1e3 * y) == pytest.approx(total), "a scale of the embeddings says nothing"


# --- the embeddings ---------------------------------------------------------------------------------------------------


@every_network
def test_every_network_has_an_embedding_of_each_window_and_draws_nothing_for_it(config):
    layout = made_up_layout()
    torch.manual_seed(0)
    network = with_neighbours(NETWORKS[config.name](config, layout, HeadConfig()), config, layout)
    scales = [TargetScale("gC m-2 d-1", 1.0, 2.0)] * len(layout.targets)
    batch = made_up_batch(layout)
    module = FluxModule(network, layout, HeadConfig(), scales, len(batch["site"]), StageConfig()).eval()
    before = torch.get_rng_state()
    with torch.no_grad(), embeddings_of(module) as embedded:
        network(batch)
    assert torch.equal(before, torch.get_rng_state())
    (found,) = embedded
    assert found.shape == (len(batch["site"]), config.hidden) and torch.isfinite(found).all()
    network(batch)
    assert len(embedded) == 1, "only while it lasts"


def test_the_embedding_is_the_mean_of_what_the_head_reads_after_warm_up():
    data = tiny_data(tiny_cube())
    config = replace(CONFIG, model=CONFIGS["lstm"])
    module = build_module(config, StageConfig(), data, None).eval()
    batch = told.sample(data, 0).batches[0]
    with torch.no_grad(), embeddings_of(module) as embedded:
        read = module.network(batch)[:, data.window.warmup :, :, 0].mean(1)
    (linear,) = (part for part in module.network.head.modules() if isinstance(part, torch.nn.Linear))
    torch.testing.assert_close(linear(embedded[0])[:, :1], read)  # the read-out is linear, so means pass through it


def test_a_sample_is_of_training_days_shows_no_flux_and_is_drawn_by_its_seed():
    data = tiny_data(tiny_cube())
    drawn = told.sample(data, 3)
    sites = torch.cat([batch["site"] for batch in drawn.batches]).numpy()
    days = torch.cat([batch["day"] for batch in drawn.batches]).numpy() + data.window.warmup
    assert data.train_sites[sites].all() and (data.cluster[sites] == drawn.place).all()
    for site, day in zip(sites, days, strict=True):
        assert data.training_days[site, day : day + data.window.scored].any()
    for name in ("target", "target_mask", "own", "own_mask"):
        assert all(not batch[name].any() for batch in drawn.batches)
    again, other = (told.sample(data, seed) for seed in (3, 4))
    assert (again.place == drawn.place).all() and (other.place != drawn.place).any()


def test_a_sample_is_as_large_as_it_has_to_be(monkeypatch):
    monkeypatch.setattr(told, "WINDOWS", 23)
    monkeypatch.setattr(told, "AT_ONCE", 10)
    drawn = told.sample(tiny_data(tiny_cube()), 0)
    assert [len(batch["site"]) for batch in drawn.batches] == [10, 10, 3] and len(drawn.place) == 23


# --- a run ------------------------------------------------------------------------------------------------------------


class Summary:
    """Stands for a W&B run: keeps what its summary is told."""

    def __init__(self) -> None:
        self.summary: dict[str, float] = {}


@pytest.mark.parametrize("technique", ["finetune", "adversarial", "reweight"])
def test_before_and_after_are_those_of_the_two_checkpoints(tmp_path, technique):
    towers, simulation, lines = tiny_cube(), simulated_cube(), []
    transferred(tmp_path / "run", towers, simulation, name=technique, said=lines)
    record = json.loads((tmp_path / "run" / "domain_gap.json").read_text())
    config = replace(CONFIG, transfer=replace(CONFIG.transfer, name=technique))
    of_cubes = (config, prepared_of(towers, simulation), tiny_split(towers))
    simulated = simulation_data(*of_cubes)
    observed = tower_data(*of_cubes, simulated.scaler)
    stage = "pretrain" if technique == "finetune" else "joint"
    for when, name in (("before", stage), ("after", "towers")):
        module = build_module(config, config.transfer.finetune, observed, None).eval()
        weights = torch.load(StageFolder(tmp_path / "run", name).checkpoints / "best.ckpt", weights_only=True)
        own = {key: value for key, value in weights["state_dict"].items() if key.startswith("network.")}
        module.load_state_dict({**module.state_dict(), **own})
        found = []
        for data in (observed, simulated):
            drawn = told.sample(data, config.seed)
            embedded = []
            for batch in drawn.batches:
                with torch.no_grad(), embeddings_of(module) as one:
                    module.network(batch)
                embedded += one
            found.append((torch.cat(embedded).double().numpy(), drawn.place))
        (x, x_place), (y, y_place) = found
        assert record[when]["a_distance"] == pytest.approx(proxy_a_distance(x, y, x_place, y_place))
        assert record[when]["squared_discrepancy"] == pytest.approx(squared_discrepancy(x, y), abs=1e-6)
        assert record["windows"] == {"towers": len(x), "simulation": len(y)}
    assert record["before"] != record["after"] and record["technique"] == technique
    (line,) = (line for line in lines if "domain gap" in line)
    assert f"{record['before']['a_distance']:.2f} before and {record['after']['a_distance']:.2f} after" in line


def test_a_mixed_network_has_no_before_and_scratch_no_gap(tmp_path):
    transferred(tmp_path / "mixed", name="mixed")
    record = json.loads((tmp_path / "mixed" / "domain_gap.json").read_text())
    assert record["before"] is None and record["after"]["a_distance"] == 2.0, "an input tells it the domain"
    transferred(tmp_path / "scratch", name="scratch")
    assert not (tmp_path / "scratch" / "domain_gap.json").exists()


def test_a_run_is_the_same_to_the_bit_with_and_without(tmp_path, monkeypatch):
    config = replace(CONFIG, model=RACI)
    unchanged = []
    tell = learn.tell_domain_gap

    def drawn_so_far() -> tuple[list[int], list[int]]:
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # noqa: NPY002  sklearn's default

    def watched(*given):
        before = drawn_so_far()
        tell(*given)
        unchanged.append(before == drawn_so_far())

    monkeypatch.setattr(learn, "tell_domain_gap", watched)
    spoken = transferred(tmp_path / "with", config=config, reuse=False)
    monkeypatch.setattr(learn, "tell_domain_gap", lambda *given: None)
    silent = transferred(tmp_path / "without", config=config, reuse=False)
    assert unchanged == [True] and (tmp_path / "with" / "domain_gap.json").exists()
    assert not (tmp_path / "without" / "domain_gap.json").exists()
    np.testing.assert_array_equal(spoken.predicted.flux, silent.predicted.flux)
    assert spoken.score == silent.score


def test_simulated_windows_look_nobody_up_and_towers_do(tmp_path, monkeypatch):
    inside, seen = [], []
    elsewhere, embedded = FluxModule.elsewhere, told._embedded

    @contextmanager
    def entered(self):
        inside.append(True)
        with elsewhere(self):
            yield
        inside.pop()

    def watched(module, drawn, device):
        seen.append((bool(inside), len(drawn.place)))
        return embedded(module, drawn, device)

    monkeypatch.setattr(FluxModule, "elsewhere", entered)
    monkeypatch.setattr(told, "_embedded", watched)
    transferred(tmp_path / "run", config=replace(CONFIG, model=RACI))
    windows = json.loads((tmp_path / "run" / "domain_gap.json").read_text())["windows"]
    expected = [(False, windows["towers"]), (True, windows["simulation"])]
    assert seen == [*expected, *expected]


def test_a_resumed_run_keeps_its_record_and_says_it_again(tmp_path):
    transferred(tmp_path / "run")
    record = tmp_path / "run" / "domain_gap.json"
    said = json.loads(record.read_text())
    said["after"]["a_distance"] = 0.123
    record.write_text(json.dumps(said))
    lines: list[str] = []
    transferred(tmp_path / "run", said=lines)
    assert json.loads(record.read_text()) == said and any("0.12 after" in line for line in lines)


def test_one_tower_cluster_is_no_reason_to_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(told, "proxy_a_distance", lambda *given: None)
    lines: list[str] = []
    transferred(tmp_path / "run", said=lines)
    assert json.loads((tmp_path / "run" / "domain_gap.json").read_text())["after"]["a_distance"] is None
    assert not any("domain gap" in line for line in lines)


def test_the_gap_goes_to_the_summary_of_a_tracked_run():
    run = Summary()
    TrackedTraining(run).domain_gap({"before": 1.5, "after": 0.5})  # type: ignore[arg-type]
    assert run.summary == {"domain_gap/before": 1.5, "domain_gap/after": 0.5}
    TrackedTraining(None).domain_gap({"after": 0.5})
