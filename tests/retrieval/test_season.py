import numpy as np
import pytest
from raciflux.retrieval.season import fit_season, year_phase

DATES = np.datetime64("2001-01-01") + np.arange(3 * 365)


def seasonal(mean, cosine, sine):
    phase = year_phase(DATES)
    return (mean + cosine * np.cos(phase) + sine * np.sin(phase))[None, :, None].astype(np.float32)


def test_phase_turns_once_a_calendar_year_also_in_leap_years():
    phase = year_phase(np.array(["2003-01-01", "2004-01-01", "2004-07-02"], "datetime64[D]"))
    assert phase == pytest.approx([0.0, 0.0, np.pi])


def test_a_record_with_more_summers_than_winters_does_not_look_warm():
    summers = np.isin(DATES.astype("datetime64[M]").astype(int) % 12, [4, 5, 6, 7, 8])
    known = (summers | (np.datetime64("2002-01-01") > DATES))[None, :, None]
    values = seasonal(1.0, -3.0, 0.5)
    season = fit_season(np.where(known, values, 0).astype(np.float32), known, DATES)
    assert values[known].mean() > 1.5
    assert season.mean[0, 0] == pytest.approx(1.0, abs=0.1)
    assert season.cosine[0, 0] == pytest.approx(-3.0, rel=0.05)
    assert season.sine[0, 0] == pytest.approx(0.5, abs=0.1)
    assert np.abs(season.anomaly[known]).max() < 0.3
    assert (season.anomaly[~known] == 0).all()


def test_a_driver_never_known_is_finite():
    season = fit_season(np.zeros((1, len(DATES), 2), np.float32), np.zeros((1, len(DATES), 2), bool), DATES)
    assert all((np.asarray(part) == 0).all() for part in season)
