"""A run corrected by own days is a run folder like any other, and says what was asked."""

from pathlib import Path

import numpy as np
import pytest
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import RunFolder
from raciflux.own_days.question_files import FewShotFile, read_few_shot, write_questions
from raciflux.own_days.questions import draw_starts
from raciflux.workflow.adapt import read_base, write_adapted

from .tiny_run import load_script


@pytest.fixture(scope="module")
def shown(calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Start dates of every site but one."""
    record = read_base([calibrated]).record
    starts = {
        str(name): draw_starts(str(name), record.dates, days)
        for name, days in zip(record.site_id, record.measured, strict=True)
    }
    path = tmp_path_factory.mktemp("questions") / "starts.json"
    asked = [name for name, drawn in starts.items() if drawn]
    write_questions(FewShotFile("starts", (), {name: starts[name] for name in asked[1:]}), path)
    return path


def adapted(
    runs: list[Path], shown: Path, output: Path, days: int, start: int = 0, correction: str = "ridge"
) -> RunFolder:
    return RunFolder(write_adapted(runs, shown, correction, days, start, output, ["evaluate.py", "adapt"]))


def test_predictions_of_every_fold_are_laid_where_they_belong(calibrated: Path) -> None:
    base = read_base([calibrated])
    assert len(base.folds) == 2
    assert (np.sum([fold.tested for fold in base.folds], axis=0) == 1).all()
    for number, fold in enumerate(base.folds):
        assert not (fold.tested & fold.training).any()
        assert not np.isin(base.record.cluster[fold.tested], base.record.cluster[fold.training]).any()
        part = RunFolder(calibrated / f"fold{number}" / "calibration" / "part1").predictions()
        for row, name in enumerate(part["site_id"].to_numpy()):
            site = base.record.site[str(name)]
            assert fold.training[site]
            np.testing.assert_array_equal(fold.predicted[site, :, 0], part["prediction"].to_numpy()[row])


def test_a_year_of_own_days_is_worth_more_than_none(calibrated: Path, shown: Path, tmp_path: Path) -> None:
    none, year = (RunFolder(_evaluated(calibrated, shown, tmp_path / days, days)) for days in ("0", "365"))
    before, after = none.predictions(), year.predictions()
    np.testing.assert_array_equal(before["measured"], after["measured"])
    assert before["measured"].to_numpy().any() and after.attrs["question"] == "few_shot"
    assert after.attrs["model"] == "climatology+empirical_bayes_365d" and before.attrs["model"] == "climatology"
    mean = [folder.metrics()["scores"]["measured"]["per_site"]["rmse"]["mean"] for folder in (none, year)]
    assert mean[1] < 0.95 * mean[0]

    load_script("evaluate").main(["compare", str(year.path), str(none.path), "--draws", "100"])
    assert list((year.path / "comparison").iterdir())


def _evaluated(run: Path, shown: Path, output: Path, days: str) -> Path:
    load_script("evaluate").main(["adapt", str(run), "--shown", str(shown), "--days", days, "--output", str(output)])
    assert (output / "command.txt").read_text().startswith("python scripts/evaluate.py adapt")
    return output


def test_only_days_a_year_after_the_start_of_named_sites_count(calibrated: Path, shown: Path, tmp_path: Path) -> None:
    said = adapted([calibrated], shown, tmp_path / "out", 30, start=2).predictions()
    original, starts = RunFolder(calibrated).predictions(), read_few_shot(shown).sites
    named = 0
    for row, name in enumerate(said["site_id"].to_numpy().astype(str)):
        counted = said["measured"].to_numpy()[row]
        same = np.array_equal(said["prediction"][row], original["prediction"][row], equal_nan=True)
        if name in starts:
            named += 1
            first = said["time"].to_numpy()[counted].min()
            assert first >= np.datetime64(starts[name][2]) + np.timedelta64(365, "D") and not same
        else:
            assert not counted.any() and same
    assert 0 < named < said.sizes["site"]


def test_several_runs_are_corrected_as_their_mean(
    calibrated: Path, calibrated_mean: Path, shown: Path, tmp_path: Path
) -> None:
    both = read_base([calibrated, calibrated_mean])
    one, other = (read_base([run]).folds[1].predicted for run in (calibrated, calibrated_mean))
    np.testing.assert_allclose(both.folds[1].predicted, (one + other) / 2, rtol=1e-6)
    said = adapted([calibrated, calibrated_mean], shown, tmp_path / "o", 7)
    assert said.predictions().attrs["model"] == "climatology_ensemble+ridge_7d"


def test_what_cannot_be_corrected_is_refused_in_one_line(
    calibrated: Path, plain: Path, shown: Path, tmp_path: Path
) -> None:
    for runs, file, says in (
        ([plain], shown, "calibration.kind=cross_conformal"),
        ([calibrated, plain], shown, "calibration.kind=cross_conformal"),
        ([calibrated], tmp_path / "other.json", "'XX-Other' is not tested"),
        ([calibrated], shown, "no site has a start date number 9"),
    ):
        write_questions(FewShotFile("other", (), {"XX-Other": ("2001-01-01",)}), tmp_path / "other.json")
        with pytest.raises(UserError) as caught:
            adapted(runs, file, tmp_path / "new", 30, start=9 if "number 9" in says else 0)
        assert says in str(caught.value) and "\n" not in str(caught.value)
    assert read_base([plain], out_of_fold=False).folds[0].tested.any()
    with pytest.raises(UserError, match="is not empty"):
        adapted([calibrated], shown, calibrated, 30)
