"""How far a site is from the bank, as it stands in the file: by role, finite, and each fold by its own threshold."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from raciflux.config.compose import compose
from raciflux.evaluation.predictions_contract import DISTANCES, INSIDE
from raciflux.retrieval.applicability import Applicability, applicability
from raciflux.retrieval.bank import Bank
from raciflux.workflow.applicability import as_variables, distance_to_bank, with_every_threshold

from worlds import CLUSTER_KM, tiny_cube, tiny_data


@pytest.mark.parametrize("exclude_km", [0.0, 600.0])
def test_the_scores_of_the_bank_that_retrieval_sees_become_variables(exclude_km):
    config = compose(["experiment=embedded_wetland_ch4", f"model.retrieval.exclude_km={exclude_km}"])
    view = tiny_data(tiny_cube()).view()
    bank = Bank.build(view, CLUSTER_KM)
    scores, told = applicability(bank, view, True, exclude_km), distance_to_bank(config, bank, view, same_cube=True)
    plain = applicability(bank, view, same_cube=True)
    assert (exclude_km == 0) == np.array_equal(plain["slow"].dissimilarity, scores["slow"].dissimilarity)
    for role, score in scores.items():
        variable = told[f"dissimilarity_{role}"]
        known = np.where(np.isfinite(score.dissimilarity), score.dissimilarity, np.nan)
        np.testing.assert_allclose(variable, known, rtol=1e-6)
        assert variable.attrs["threshold"] == score.threshold and variable.attrs["units"] == "1"
        assert role in variable.attrs["long_name"]
    np.testing.assert_array_equal(told[INSIDE] == 1, scores["slow"].inside & scores["fast"].inside)
    assert told[INSIDE].dtype == np.int8 and told[INSIDE].attrs["flag_values"] == [0, 1]


def test_a_site_that_sees_nothing_of_the_bank_is_outside_and_has_no_distance():
    far = Applicability(np.array([0.3, np.inf]), float("nan"), np.array([False, False]))
    near = Applicability(np.array([0.3, 0.4]), 0.5, np.array([True, True]))
    told = as_variables({"slow": far, "fast": near})
    assert told["dissimilarity_slow"].isnull().to_numpy().tolist() == [False, True]
    assert told["dissimilarity_slow"].attrs["threshold"] == 0.0 and told[INSIDE].to_numpy().tolist() == [0, 0]


def test_of_a_bank_of_one_site_others_are_outside_and_have_no_distance():
    view = tiny_data(tiny_cube()).view()
    scores = applicability(
        Bank.build(replace(view, train_sites=np.cumsum(view.train_sites) == 1), CLUSTER_KM), view, True
    )
    told = as_variables(scores)
    assert np.isfinite(scores["slow"].dissimilarity).any(), "the bank is not empty"
    assert np.isnan(told["dissimilarity_slow"]).all(), "nothing says how far is far"
    assert not any(np.isinf(told[name]).any() for name in DISTANCES) and not told[INSIDE].any()


def test_pooled_folds_keep_each_site_s_own_value_and_every_threshold():
    of_fold = [Applicability(np.array([0.1 + i]), 0.5 + i, np.array([i == 0])) for i in range(2)]
    folds = [as_variables({"slow": score, "fast": score}) for score in of_fold]
    pooled = with_every_threshold(xr.concat(folds, "site", combine_attrs="override"), folds)
    for name in DISTANCES:
        np.testing.assert_allclose(pooled[name], [0.1, 1.1], rtol=1e-6)
        assert pooled[name].attrs["threshold"] == [0.5, 1.5]
    assert pooled[INSIDE].to_numpy().tolist() == [1, 0]
    silent = [folds[0], folds[1].drop_vars([*DISTANCES, INSIDE])]
    assert not set(with_every_threshold(pooled, silent).data_vars) & {*DISTANCES, INSIDE}
