"""The benchmark runs, compares like with like, and refuses nonsense; no test looks at how long anything took."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from raciflux.errors import UserError

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.speed import gather, neuralhydrology, reading, retrieval, settings, step, waiting, xmethanewet  # noqa: E402
from benchmarks.speed.floor import Machine, lstm_flops  # noqa: E402
from benchmarks.speed.loaders import ShuffledIndices  # noqa: E402
from benchmarks.speed.made_up import DAYS, DRIVERS, WINDOW, data_module, driver_table  # noqa: E402
from benchmarks.speed.page import page  # noqa: E402
from benchmarks.speed.settings import parse_settings  # noqa: E402
from benchmarks.speed.speeds import SPEEDS  # noqa: E402
from benchmarks.speed.timing import Bar, Row, Spread, paired, rates, torch_threads  # noqa: E402

TINY = ("threads=1", "rounds=1", "sites=3", "batch=8", "batches=2", "steps=1")


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    command = [sys.executable, str(ROOT / "scripts" / "benchmark.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)


def ordered(windows: torch.Tensor) -> torch.Tensor:
    """Return windows by their first number."""
    return windows[windows[:, 0, 0].argsort()]


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_every_way_of_gathering_makes_the_same_batches():
    settings = parse_settings(["sites=3", "batch=8"])
    drivers = driver_table(settings.sites, settings.seed)
    loaders = gather.value_loaders(settings, drivers, batches=3)
    assert len(loaders) == 4
    order = ShuffledIndices(gather.choose_windows(settings, batches=3), 8, settings.seed)
    expected = [torch.stack([drivers[site, first : first + WINDOW] for site, first in i.tolist()]) for i in order]
    assert len(expected) == 3 and expected[0].shape == (8, WINDOW, len(DRIVERS))
    for name, loader in loaders.items():
        first, second = list(loader), torch.cat(list(loader))
        for made, wanted in zip(first, expected, strict=True):
            assert made.dtype == torch.float32
            assert torch.equal(made, wanted), name
        assert not torch.equal(second, torch.cat(expected)), "the second epoch is shuffled anew"
        assert torch.equal(ordered(second), ordered(torch.cat(expected))), "and holds the same windows"


def test_windows_may_start_on_any_day_from_which_a_window_fits():
    settings = parse_settings(["sites=2", "batch=512"])
    chosen = gather.choose_windows(settings, batches=16)
    firsts = [first for _, first in chosen]
    assert {site for site, _ in chosen} == {0, 1}
    assert 0 <= min(firsts) < 20 and DAYS - WINDOW - 20 < max(firsts) <= DAYS - WINDOW


@pytest.mark.parametrize("name", step.MODELS)
def test_lightning_and_the_bare_loop_train_alike(name):
    settings = parse_settings(["sites=2", "batch=8", "rounds=2", "steps=3"])
    data = data_module(settings.sites, settings.batch, settings.seed)
    data.arrays.target[:, 0] *= 30  # gradients large enough to be clipped
    before = torch.are_deterministic_algorithms_enabled()
    with torch_threads(1):
        trace = step.train(settings, data, 1, name)
    assert len(trace.lightning) == len(trace.bare) == 2, "the round that warms up is not counted"
    assert len(trace.lightning_loss) == len(trace.bare_loss) == 9
    assert trace.difference() <= 1e-6
    losses = torch.stack(trace.bare_loss)
    assert losses.isfinite().all() and losses.unique().numel() == 9
    assert torch.are_deterministic_algorithms_enabled() == before, "a training leaves the process as it found it"


def test_sides_that_train_differently_are_not_compared(monkeypatch):
    settings = parse_settings(["sites=1", "batch=8", "rounds=1", "steps=1"])
    data = data_module(settings.sites, settings.batch, settings.seed)
    learn = step.BareLoop.step
    monkeypatch.setattr(step.BareLoop, "step", lambda self, batch: learn(self, batch) + 1e-5)
    with pytest.raises(RuntimeError, match="trained differently"):
        step.train(settings, data, 1, "LSTM")


def test_memory_mapped_items_make_the_same_batches(tmp_path):
    loaders = xmethanewet.loaders(parse_settings(["sites=3", "batch=8"]), 3, tmp_path)
    for ours, theirs in zip(*loaders.values(), strict=True):
        assert ours[0].shape == (8, WINDOW, len(DRIVERS)) and ours[1].shape == (8, WINDOW)
        for one, other in zip(ours, theirs, strict=True):
            assert one.dtype == other.dtype == torch.float32
            torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_all_ways_to_search_find_the_same_and_order_twins_by_place():
    places = retrieval.draw_places(400, seed=0)
    asking = np.arange(400)
    ways = [retrieval.functional_sides(places, name) for name in places.keys]
    for sides in (*ways, retrieval.geographic_sides(places)):
        ours = sides[retrieval.OURS](asking)
        for name, side in sides.items():
            retrieval.check(ours, side(asking), name)
        distance, index = ours
        assert (distance[392:, 0] == distance[392:, 1]).all() and (index[392:, 0] == np.arange(8)).all()


@pytest.mark.parametrize(("place", "words"), [(0, "distances differ by 0.001"), (1, "not in the order of the places")])
def test_ways_that_find_something_else_are_not_compared(place, words):
    found = [np.array([[1.0, 1.0, 2.0]]), np.array([[3, 4, 1]])]
    retrieval.check((found[0], found[1]), (found[0].copy(), found[1]), "same")
    other = [found[0].copy(), found[1][:, [1, 0, 2]]]
    other[0][0, 2] += 1e-3
    ours, theirs = ((found[0], found[1]), (other[0], found[1])) if place == 0 else ((found[0], other[1]), found)
    with pytest.raises(RuntimeError, match=words):
        retrieval.check(ours, theirs, "other")


def test_time_to_the_same_loss_ends_where_a_side_is_as_good_as_the_worse_ever_was():
    turns = neuralhydrology.Turns([1.0] * 3, [2.0] * 3, our_loss=[5.0, 3.0, 4.0], their_loss=[6.0, 5.5, 3.5])
    assert turns.to_the_same_loss() == (2.0, 6.0)
    turns.their_loss[:] = [2.9, 3.1, 3.2]
    assert turns.to_the_same_loss() == (2.0, 2.0)


def test_without_its_package_the_comparison_says_what_to_install(tmp_path):
    assert "pip install -r" in str(neuralhydrology.missing(parse_settings([])))
    settings = {"any": 1}
    with pytest.raises(UserError, match=r"python=nowhere: cannot be started"):
        neuralhydrology.Peer("nowhere", tmp_path / "a", settings, 1)
    with pytest.raises(UserError, match=r"^speed=neuralhydrology: .*neuralhydrology"):
        neuralhydrology.Peer(sys.executable, tmp_path / "b", settings, 1)


def test_data_module_has_fifteen_drivers_and_whole_batches():
    data = data_module(sites=8, batch=16, seed=1)
    assert len(data.layout.fast) == 15
    batches = [data.arrays.gather(index, "train") for index in itertools.islice(data.train_dataloader(), 8)]
    assert [len(batch["site"]) for batch in batches[:-1]] == [16] * 7
    assert len(batches[-1]["site"]) >= 14  # the offset 0, which is rare, saves a site one window
    assert batches[0]["fast"].shape == (16, WINDOW, 15)


def test_sides_take_turns_and_the_first_round_is_dropped():
    seen = []

    def side(name: str):
        return lambda: seen.append(name) or 10

    measured = rates({"ours": side("ours"), "theirs": side("theirs")}, rounds=2)
    assert seen == ["ours", "theirs"] * 3
    assert [len(of_side) for of_side in measured.values()] == [2, 2]
    assert paired([2.0, 8.0, 3.0], [1.0, 2.0, 3.0]) == Spread(2.0, 1.0, 4.0)


def test_bars_judge_the_ratio_where_there_is_one():
    at_least, at_most = Bar(2.0, at_least=True), Bar(2.0, at_least=False)
    assert Row("", 1, 100.0, 1.0, "windows/s", Spread(1.9, 1, 9), at_least).met is False
    assert Row("", 1, 1.0, 100.0, "windows/s", Spread(2.1, 1, 9), at_least).met is True
    assert Row("", 1, 1.4, None, "GB", bar=at_most).met is True
    assert Row("", 1, 2.1, None, "GB", bar=at_most).met is False
    assert Row("", 1, 2.1, None, "s").met is None


def test_script_measures_prints_and_writes(tmp_path):
    output = tmp_path / "speed.json"
    done = benchmark(*TINY, f"data.root={tmp_path}", f"output={output}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in ("windows/s", "ms/step", ">= 1.3", ">= 50", "<= 1.1", "<= 3", "cores", "load average"):
        assert words in done.stdout
    assert f"\nread: skipped, no fluxnet2015/daily.parquet in {tmp_path}; set data.root" in done.stdout
    written = json.loads(output.read_text())
    assert set(written["results"]) == {"gather", "step", "raci"}
    assert [row["bar"] is None for row in written["results"]["raci"]] == [False, False, True]
    assert written["results"]["raci"][1]["ratio"]["median"] < 1, "retrieval is a part of the step"
    assert [row["theirs"] is None for row in written["results"]["gather"]] == [False, False, False, True]
    assert written["results"]["step"][0]["bar"] == {"limit": 1.1, "at_least": False}
    assert written["settings"]["batch"] == 8 and written["machine"]["torch"] == torch.__version__
    assert str(tmp_path) not in json.dumps(written), "where data and results stand is nobody's business"


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("speed=gathr", "did you mean 'gather'"),
        ("theads=1", "did you mean 'threads'"),
        ("acuracy=embedded", "did you mean 'accuracy'"),
        ("sped=gather", "did you mean 'speed'"),
        ("models=[lstm]", "accuracy=..., own_days=..., speed=... or transfer=... names the benchmark"),
        ("threads=two", "whole number"),
        ("threads=-1", "between 0 and"),
        ("rounds=0", "between 1 and"),
        ("--fast", "key=value"),
        ("output=nowhere/speed.json", "the folder nowhere does not exist"),
        ("output=speed.txt", "name a JSON file"),
        ("data.root=", "no value"),
    ],
)
def test_bad_arguments_are_refused(argument, words):
    with pytest.raises(UserError) as refused:
        parse_settings([argument])
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_a_bad_argument_is_one_line_and_status_2():
    done = benchmark("speed=gathr")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "did you mean 'gather'" in done.stderr


def test_the_floor_counts_the_products_of_an_lstm():
    lstm = torch.nn.LSTM(16, 64)
    assert lstm_flops(16, 64) == 2 * (lstm.weight_ih_l0.numel() + lstm.weight_hh_l0.numel())
    machine = Machine(flops=100.0, copied=10.0, written=5.0)
    assert machine.seconds(200.0, 30.0, 20.0) == 2 + 3 + 4


@pytest.mark.slow
def test_a_land_grid_is_predicted(tmp_path):
    done = benchmark("speed=global", "threads=1", "cells=70", f"output={tmp_path}/speed.json")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "speed.json").read_text())["results"]["global"]
    assert len(rows) == 11 and all(row["ours"] > 0 for row in rows)


def test_help_names_every_key():
    done = benchmark("--help")
    assert done.returncode == 0
    for key in (
        *("speed", "threads", "rounds", "sites", "batch", "batches"),
        *("places", "steps", "seed", "python", "output"),
    ):
        assert f"\n  {key} = " in done.stdout


def test_damaged_data_are_one_line(tmp_path):
    (tmp_path / "fluxnet2015").mkdir()
    (tmp_path / "fluxnet2015" / "daily.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(UserError, match=r"^speed=read: .*daily\.parquet"):
        reading.read_once(str(tmp_path), threads=1)


@pytest.mark.data
@pytest.mark.slow
def test_reading_counts_every_site_day(data_root):
    if reading.missing(parse_settings([f"data.root={data_root}"])):
        pytest.skip("no FLUXNET2015 here")
    measured = reading.read_once(str(data_root), threads=1)
    assert measured["site_days"] == 447_067
    assert measured["peak_gb"] > 0.1


def test_the_page_of_results_is_what_was_measured(tmp_path):
    committed = ROOT / "benchmarks" / "speed" / "results.md"
    assert committed.read_text() == page(), "made anew by python -m benchmarks.speed.page"
    measured = json.loads((committed.parent / "results" / "step.json").read_text())
    row = measured["results"]["step"][0]
    row |= {"what": "a step", "ratio": {"median": 1.234, "lowest": 1.111, "highest": 2}, "ours": 12345.6}
    (tmp_path / "step.json").write_text(json.dumps(measured))
    assert "| a step | 1 | 12,346 | " in page(tmp_path)
    assert "| 1.23 (1.11 - 2) | <= 1.1, MISSED |" in page(tmp_path)


def test_every_speed_that_can_be_asked_for_is_measured_by_something():
    assert set(SPEEDS) == {*settings.SPEEDS, *settings.ON_REQUEST}


def test_ways_of_waiting_are_told_apart_by_the_environment_alone(monkeypatch):
    told = []

    def milliseconds(command, env, text):
        told.append((env.get("GOMP_SPINCOUNT"), env.get("OMP_WAIT_POLICY"), env["OMP_NUM_THREADS"]))
        return {("1000", None, "2"): "10", (None, "PASSIVE", "2"): "50", (None, None, "1"): "20"}.get(told[-1], "30")

    monkeypatch.setattr(waiting.subprocess, "check_output", milliseconds)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")  # of the caller: no way inherits it
    rows = waiting.measure(parse_settings(["speed=threads", "rounds=3"]), 2)
    assert len(told) == 4 * len(waiting.WAYS) and len(rows) == 12
    assert [row.ratio.median for row in rows] == [2.0, 5.0, 3.0] * 4
    assert [row.ours for row in rows] == [10.0] * 12
