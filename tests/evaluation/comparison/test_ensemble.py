import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.errors import UserError
from raciflux.evaluation.comparison.ensemble import combine, write_ensemble
from raciflux.evaluation.comparison.validation_score import validation_score
from raciflux.evaluation.evaluate import score_run
from raciflux.evaluation.run_folder import RunFolder

from ..fabricated import fabricate_predictions, fabricate_targets, with_distance, with_uncertainty


def test_identical_members_are_their_ensemble(written):
    one = with_uncertainty(fabricate_predictions(sites=6, years=1))
    combined = combine([written(one.assign_attrs(seed=seed)) for seed in range(3)])
    for name in ("prediction", "observed", "prediction_quantile", "measured", "quantile"):
        np.testing.assert_array_equal(combined[name].to_numpy(), one[name].to_numpy())
    assert (combined["prediction_spread"].to_numpy()[np.isfinite(one["prediction"].to_numpy())] == 0).all()
    assert combined.attrs["model"] == "raci_ensemble" and "seed" not in combined.attrs
    assert "lower" not in combined and "interval_level" not in combined.attrs, "the mean of intervals covers less"


def test_the_mean_and_spread_of_members_in_any_order_of_sites(written):
    members = [written(sites=6, seed=seed) for seed in range(3)]
    turned = written(members[1].predictions().isel(site=slice(None, None, -1)))
    combined = combine([members[0], turned, members[2]])
    values = np.stack([run.predictions()["prediction"].to_numpy() for run in members]).astype(float)
    np.testing.assert_allclose(combined["prediction"], values.mean(0), rtol=1e-6)
    mean = values.mean(0)
    np.testing.assert_allclose(
        combined["prediction_spread"], np.sqrt(((values - mean) ** 2).sum(0) / 2), rtol=1e-5, atol=1e-6
    )


def test_a_day_that_one_member_lacks_is_lacking(written):
    one = written(sites=6).predictions()
    unscored = np.argwhere(~one["convention"].to_numpy() & ~one["measured"].to_numpy())[0]
    values = one["prediction"].to_numpy().copy()
    values[tuple(unscored)] = np.nan
    combined = combine([written(sites=6, seed=1), written(one.assign(prediction=(("site", "time"), values)))])
    assert np.isnan(combined["prediction"].to_numpy()[tuple(unscored)])
    assert np.isnan(combined["prediction"].to_numpy()).sum() == 1


def test_quantiles_are_averaged_level_by_level_where_all_have_the_same(written):
    first, second = (with_uncertainty(written(sites=6, seed=seed).predictions()) for seed in (0, 1))
    coarse = with_uncertainty(written(sites=6, seed=1).predictions(), quantiles=9)
    mean = (first["prediction_quantile"].to_numpy() + second["prediction_quantile"].to_numpy()) / 2
    combined = combine([written(first), written(second)])
    np.testing.assert_allclose(combined["prediction_quantile"], mean, rtol=1e-5, atol=1e-6)
    for other in (coarse, second.drop_vars(["prediction_quantile", "quantile"])):
        assert "prediction_quantile" not in combine([written(first), written(other)])


def test_the_distance_to_a_bank_stays_where_it_is_that_of_every_member(written):
    first, second = (with_distance(written(sites=6, seed=seed).predictions()) for seed in (0, 1))
    same = second.assign({name: first[name] for name in ("dissimilarity_slow", "dissimilarity_fast", "inside_area")})
    turned = same.isel(site=slice(None, None, -1))
    kept = combine([written(first), written(turned)])
    np.testing.assert_array_equal(kept["dissimilarity_slow"], first["dissimilarity_slow"])
    for other in (second, written(sites=6, seed=1).predictions()):
        for members in ([first, other], [other, first]):
            assert "inside_area" not in combine([written(member) for member in members])


UNLIKE = {
    "is not tested": lambda run: run.isel(site=slice(1, None)),
    "target is": lambda run: run.assign_attrs(target="NEE"),
    "units is": lambda run: run.assign_attrs(units="umol m-2 s-1"),
    "its days": lambda run: run.isel(time=slice(1, None)),
    "other days": lambda run: run.assign(prediction=xr.where(run["site_id"] == "XX-S00", np.nan, run["prediction"])),
}


@pytest.mark.parametrize("said", UNLIKE)
def test_members_that_were_asked_something_else_are_refused_in_one_line(written, said):
    first = written(sites=6).predictions()
    first["measured"][:, 0] = first["convention"][:, 0] = False  # so that the first day is on the axis and not scored
    other = UNLIKE[said](first).transpose("site", "time")
    with pytest.raises(UserError, match=said) as caught:
        combine([written(first), written(other)])
    assert "\n" not in str(caught.value) and "run" in str(caught.value)


def test_every_target_is_combined_and_scored_from_the_folder_alone(tmp_path: Path):
    members = [fabricate_targets(tmp_path / f"member{i}", seed=i) for i in range(2)]
    output = write_ensemble(members, tmp_path / "ensemble")
    assert [one.run.summary["target"] for one in score_run(output)] == ["GPP", "NEE"]
    assert json.loads((output / "members.json").read_text()) == [str(member.resolve()) for member in members]
    assert RunFolder(output).config_text() == RunFolder(members[0]).config_text() != ""


def test_the_same_run_and_equal_seeds_of_one_model_are_refused_in_one_line(written, tmp_path: Path):
    one, other = written(sites=4), written(sites=4, seed=1)
    twin = written(other.predictions())
    again = one.path.parent / other.path.name / ".." / one.path.name
    for members, said in (
        ([one.path, other.path, again], "named twice"),
        ([one.path, other.path, twin.path], "seed 1"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            write_ensemble(members, tmp_path / "new")
        assert "\n" not in str(caught.value) and str(Path(members[-1]).name) in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_an_ensemble_of_several_models_says_their_names(written):
    runs = [
        written(sites=4, model="ct_lstm"),
        written(sites=4, model="lightgbm"),
        written(sites=4, model="ct_lstm", seed=1),
    ]
    assert combine(runs).attrs["model"] == "ct_lstm+lightgbm_ensemble"
    kinds = [written(sites=4, config=f"model: {{name: raci, hidden: {hidden}}}\n") for hidden in (8, 64)]
    assert combine(kinds).attrs["model"] == f"raci ({kinds[0].path.name})+raci ({kinds[1].path.name})_ensemble"


def test_an_ensemble_keeps_its_command_and_its_validation_score(written, tmp_path: Path):
    runs = [written(sites=4, seed=seed, score=score).path for seed, score in enumerate((0.25, 0.75))]
    output = write_ensemble(runs, tmp_path / "en semble")
    assert RunFolder(output).command() == (
        f"python scripts/evaluate.py ensemble {runs[0]} {runs[1]} --output '{tmp_path / 'en semble'}'"
    )
    assert validation_score(RunFolder(output)) == ("val/score", 0.5)
    without = write_ensemble([runs[0], written(sites=4, seed=2).path], tmp_path / "without")
    assert validation_score(RunFolder(without)) is None, "a member has none"


def test_a_folder_that_is_taken_and_a_single_member_are_refused(written, tmp_path: Path):
    one, two = written(sites=4), written(sites=4, seed=1)
    with pytest.raises(UserError, match="two runs"):
        write_ensemble([one.path], tmp_path / "new")
    with pytest.raises(UserError, match="is not empty"):
        write_ensemble([one.path, two.path], one.path)
    with pytest.raises(UserError, match="other targets"):
        write_ensemble([one.path, fabricate_targets(tmp_path / "targets")], tmp_path / "new")
    assert not (tmp_path / "new").exists()
