"""Fine-tuning on a site's shown days: nothing shown changes nothing, hidden days neither."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import RunFolder
from raciflux.own_days.choice import ByDaysShown
from raciflux.own_days.question_files import FewShotFile, write_questions
from raciflux.own_days.questions import draw_starts, first_days
from raciflux.workflow.adapt import read_base
from raciflux.workflow.fine_tuned import FineTuned, Tuning
from rich.console import Console

from .tiny_run import trained

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.own_days.main import measure_own_days

TINY = ["model=lstm", "model.hidden=8", "transfer.finetune.steps=4", "transfer.finetune.check_every=2"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("network"), *TINY, "data.split.fold=0")


@pytest.fixture(scope="module")
def tuned(network: Path) -> FineTuned:
    return FineTuned([network])


def always(answer: FineTuned, steps: int) -> FineTuned:
    """The same networks, tuned for a number of steps whatever is shown."""
    other = object.__new__(FineTuned)
    chosen = ByDaysShown(np.ones(1), (Tuning(steps, 1e-2),))
    other.runs = [[replace(fold, chosen=chosen) for fold in folds] for folds in answer.runs]
    return other


def test_no_shown_day_and_no_step_leave_the_run_as_it_is(network: Path, tuned: FineTuned) -> None:
    said = RunFolder(network).predictions()
    record = read_base([network], out_of_fold=False).record
    nothing = np.zeros(record.flux.shape[1:], bool)
    for row, name in enumerate(said["site_id"].to_numpy().astype(str)[:3]):
        for answer in (tuned, always(tuned, 0)):
            mine = answer(record.site[name], nothing)[:, 0]
            np.testing.assert_allclose(mine, said["prediction"].to_numpy()[row], rtol=1e-4, atol=1e-4)


def test_tuning_follows_the_shown_days_and_no_others(network: Path, tuned: FineTuned) -> None:
    record = read_base([network], out_of_fold=False).record
    site = int(np.flatnonzero(tuned.runs[0][0].tested)[0])
    start = str(record.dates[record.trainable[site].any(1)][0])[:10]
    shown = first_days(start, 365, record.dates, record.trainable[site])
    answer = always(tuned, 60)
    before, after = always(tuned, 0)(site, shown), answer(site, shown)
    errors = [np.sqrt(((said - record.flux[site])[shown] ** 2).mean()) for said in (before, after)]
    assert errors[1] < 0.9 * errors[0]
    np.testing.assert_array_equal(answer(site, shown), after)  # the run's own weights are untouched

    poisoned = always(tuned, 60)
    data = poisoned.runs[0][0].data
    hidden = ~shown & (np.arange(len(record.site_id)) == site)[:, None, None]
    flux = {name: np.where(hidden[..., i], 1e4, record.flux[..., i]) for i, name in enumerate(record.targets)}
    kept = data.cube
    data.cube = kept.assign({name: (("site", "time"), values.astype(np.float32)) for name, values in flux.items()})
    np.testing.assert_array_equal(poisoned(site, shown), after)
    data.cube = kept


def test_steps_are_chosen_for_each_number_of_days(tuned: FineTuned) -> None:
    chosen = tuned.runs[0][0].chosen
    assert chosen is not None and len(chosen.settings) == 4 and (np.diff(chosen.days) > 0).all()


def test_a_model_without_gradients_is_refused(calibrated: Path) -> None:
    with pytest.raises(UserError, match="cannot be fine-tuned here"):
        FineTuned([calibrated])


def test_one_run_answers_the_benchmark_as_it_is_and_tuned(network: Path, tuned: FineTuned, tmp_path: Path) -> None:
    record = read_base([network], out_of_fold=False).record
    site = int(np.flatnonzero(tuned.runs[0][0].tested)[0])
    name = str(record.site_id[site])
    (start, *_) = draw_starts(name, record.dates, record.measured[site])
    write_questions(FewShotFile("x", (), {name: (start,)}), tmp_path / "few_shot_v1.json")
    asked = ["own_days=few_shot", f"questions={tmp_path}/few_shot_v1.json", f"output={tmp_path}", "draws=100"]
    runs = [f"base=[{network}]", f"fine_tuned=[{network}]"]
    measure_own_days([*asked, *runs, "methods=[zero_shot, fine_tuned]"], Console(quiet=True))
    table = pl.read_csv(tmp_path / "few_shot.csv")
    rows = table.partition_by("method", as_dict=True, include_key=False)
    assert table["method"].value_counts(sort=True)["count"].to_list() == [4, 4]
    assert rows["fine_tuned",].drop("rmse").equals(rows["zero_shot",].drop("rmse")), "the same days are scored"
    with pytest.raises(UserError, match="cross_conformal"):
        measure_own_days([*asked, *runs, "methods=[ridge]"], Console(quiet=True))
