import numpy as np
import polars as pl
import pytest
import xarray as xr
from raciflux.atomic import write_text
from raciflux.errors import UserError
from raciflux.evaluation.comparison.compare import compare
from raciflux.evaluation.comparison.validation_score import validation_score
from raciflux.evaluation.run_folder import RunFolder
from raciflux.evaluation.scores.tables import scored_days

DRAWS = 120


def test_neither_the_order_of_sites_nor_that_of_seeds_matters(written):
    runs = [written(seed=0), written(seed=1), written(model="lstm", error=1.2)]
    shuffled = [written(run.predictions().isel(site=slice(None, None, -1))) for run in (runs[1], runs[0], runs[2])]
    assert compare(runs, draws=DRAWS).scores == compare(shuffled, draws=DRAWS).scores


def test_single_folds_are_pooled_so_that_each_site_counts_once(written):
    whole, lstm = written(), written(model="lstm", error=1.2)
    fold = whole.predictions()["fold"].to_numpy()
    parts = [written(whole.predictions().isel(site=np.flatnonzero(fold == k))) for k in range(5)]
    assert compare([*parts, lstm], draws=DRAWS).scores == compare([whole, lstm], draws=DRAWS).scores
    with pytest.raises(UserError, match="is not tested"):
        compare([*parts[:4], lstm], draws=DRAWS)


def test_runs_of_one_model_and_other_configs_stand_apart(written):
    wide, narrow = "model: {name: raci, hidden: 64}\n", "model: {name: raci, hidden: 8}\n"
    runs = [written(config=wide), written(config=narrow, seed=1), written(config=wide + "seed: 9\n", seed=2)]
    first, second = compare(runs, draws=DRAWS).scores[0].models
    assert (first.model, first.seeds, second.model, second.seeds) == ("raci (run0)", (0, 2), "raci (run1)", (1,))


def test_a_model_that_looks_ahead_carries_the_mark(written):
    ahead = written(model="ahead").predictions().assign_attrs(causal=0)
    lines = compare([written(), written(ahead)], draws=DRAWS).scores[0].models
    assert [line.shown for line in lines] == ["raci", "ahead (not causal)"]


def test_the_best_baseline_is_chosen_on_validation_not_on_the_test(written):
    runs = [written(score=0.9), written(model="good", error=0.2, score=0.8), written(model="bad", error=2, score=0.7)]
    assert compare(runs, draws=DRAWS).best_baseline == "bad"
    against = compare(runs, draws=DRAWS, reference="best_baseline")
    assert [(pair.model, pair.reference) for pair in against.scores[0].pairs] == [("raci", "bad"), ("good", "bad")]
    named = compare(runs, draws=DRAWS, reference="good").scores[0].pairs
    assert [(pair.model, pair.reference) for pair in named] == [("raci", "bad"), ("raci", "good"), ("bad", "good")]


def test_without_validation_scores_nothing_is_chosen(written):
    runs = [written(score=0.1), written(model="lstm")]
    assert compare(runs, draws=DRAWS).best_baseline is None
    with pytest.raises(UserError, match="no best baseline"):
        compare(runs, draws=DRAWS, reference="best_baseline")


def test_the_validation_score_is_the_mean_over_folds_of_the_best_on_towers(tmp_path):
    for fold, scores in enumerate(([0.9, 0.5, 0.7], [0.8, 0.7, 0.75])):
        for stage, shift in (("pretrain", -1.0), ("towers", 0.0)):
            table = pl.DataFrame({"step": [1, 2, 3], "val/score": [score + shift for score in scores]})
            file = tmp_path / f"fold{fold}" / "logs" / stage / "metrics.csv"
            file.parent.mkdir(parents=True)
            table.write_csv(file)
    assert validation_score(RunFolder(tmp_path)) == ("val/score", pytest.approx(0.6))
    write_text('{"score": 0.3}', tmp_path / "fold1" / "validation.json")
    assert validation_score(RunFolder(tmp_path)) == ("val/score", pytest.approx(0.4))
    (tmp_path / "fold2").mkdir()
    assert validation_score(RunFolder(tmp_path)) is None, "a fold without a score"
    write_text('{"score": "none"}', tmp_path / "fold2" / "validation.json")
    with pytest.raises(UserError, match="expected"):
        validation_score(RunFolder(tmp_path))


def first_day_unscored(run: xr.Dataset) -> xr.Dataset:
    flags = run["measured"].to_numpy().copy()
    flags[0, np.flatnonzero(flags[0])[0]] = False
    return run.assign(measured=(("site", "time"), flags))


def first_day_unpredicted(run: xr.Dataset) -> xr.Dataset:
    values = run["prediction"].to_numpy().copy()
    values[0, np.flatnonzero(scored_days(run, "measured")[0])[0]] = np.nan
    return run.assign(prediction=(("site", "time"), values))


UNLIKE = {
    "is not tested": lambda run: run.isel(site=slice(1, None)),
    "target is": lambda run: run.assign_attrs(target="NEE"),
    "units is": lambda run: run.assign_attrs(units="umol m-2 s-1"),
    "quality is": lambda run: run.assign_attrs(quality="published").drop_vars("convention"),
    "question is": lambda run: run.assign_attrs(question="new_years"),
    "min_scored_days is": lambda run: run.assign_attrs(min_scored_days=61),
    "site XX-S00 other days": first_day_unscored,
    "site XX-S00 other days are scored or predicted": first_day_unpredicted,
    "another flux": lambda run: run.assign(observed=run["observed"] * 1.05),
    "its folds": lambda run: run.assign(fold=run["fold"] // 2),
    "its clusters": lambda run: run.assign(cluster=run["cluster"] // 2),
}


@pytest.mark.parametrize("said", UNLIKE)
def test_runs_that_were_asked_something_else_are_refused_in_one_line(written, said):
    other = written(model="lstm").predictions()
    with pytest.raises(UserError, match=said) as caught:
        compare([written(), written(UNLIKE[said](other))], draws=DRAWS)
    assert "\n" not in str(caught.value) and "run" in str(caught.value)


def test_other_numbers_for_the_same_division_are_the_same_division(written):
    other = written(model="lstm").predictions()
    same = other.assign(fold=4 - other["fold"], cluster=other["cluster"] + 100)
    assert compare([written(), written(same)], draws=DRAWS).scores


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reference": "lstn"}, "did you mean 'lstm'"),
        ({"scores": ["mesured"]}, "did you mean 'measured'"),
        ({"draws": 10}, "10 draws"),
    ],
)
def test_unknown_names_are_refused_in_one_line(written, options, said):
    with pytest.raises(UserError, match=said) as caught:
        compare([written(), written(model="lstm")], **{"draws": DRAWS, **options})
    assert "\n" not in str(caught.value)


def test_one_model_alone_is_nothing_to_compare(written):
    for runs in ([], [written()], [written(), written(seed=1)]):
        with pytest.raises(UserError, match="nothing to compare"):
            compare(runs, draws=DRAWS)


def test_a_folder_named_twice_is_refused_in_one_line_however_it_is_written(written):
    run, other = written(), written(model="lstm")
    again = RunFolder(run.path.parent / "." / other.path.name / ".." / run.path.name)
    for runs in ([run, run], [run, other, again]):
        with pytest.raises(UserError, match="named twice") as caught:
            compare(runs, draws=DRAWS)
        assert "\n" not in str(caught.value) and str(run.path.name) in str(caught.value)


def test_a_test_set_that_scores_no_site_is_refused(written):
    runs = [written(model=name).predictions().assign_attrs(min_scored_days=999) for name in ("raci", "lstm")]
    with pytest.raises(UserError, match="no site enters"):
        compare([written(run) for run in runs], draws=DRAWS)


def test_a_key_that_only_later_runs_have_makes_no_other_model(written):
    """A benchmark goes on over versions of raciflux: its seeds stay one model's."""
    old, new = "model: {name: raci, hidden: 64}\n", "model: {name: raci, hidden: 64, body: lstm}\n"
    runs = [written(config=old), written(config=new, seed=1), written(model="lstm", error=1.2)]
    assert [line.seeds for line in compare(runs, draws=DRAWS).scores[0].models] == [(0, 1), (0,)]
    other = written(config="model: {name: raci, hidden: 64, body: tcn}\n", seed=1)
    assert [line.seeds for line in compare([runs[1], other], draws=DRAWS).scores[0].models] == [(1,), (1,)]
