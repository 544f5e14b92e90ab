"""The two climatologies against naive loops over days, sites and months."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from fabricated_view import KM, SITES, fabricated_view
from raciflux.config.models import ClimatologyConfig, NearestClimatologyConfig
from raciflux.contracts import TrainingView
from raciflux.modules.baselines.climatology import Climatology
from raciflux.modules.baselines.nearest_climatology import NearestClimatology
from raciflux.modules.baselines.seasons import Seasons, daily, months_since_midwinter
from raciflux.retrieval.descriptors import Standard, describe, descriptors

Year = list[float]  # twelve months


@pytest.fixture(scope="module", params=["unseen", "new_years"])
def view(request) -> TrainingView:
    return fabricated_view(request.param)


def position(day: np.datetime64, lat: float) -> float:
    """Months since 1 January, or since 1 July in the south."""
    this = day.astype("datetime64[D]").item()
    length = (date(this.year + 1, 1, 1) - date(this.year, 1, 1)).days
    months = 12 * (this - date(this.year, 1, 1)).days / length
    return (months + 6) % 12 if lat < 0 else months


def months_of(view: TrainingView, site: int, target: int) -> tuple[Year, list[int]]:
    """Mean and number of known days of each month."""
    values: list[list[float]] = [[] for _ in range(12)]
    for d, day in enumerate(view.dates):
        if view.visible.known[site, d, target]:
            values[int(position(day, view.lat[site]))].append(float(view.target[site, d, target]))
    return [sum(v) / len(v) if v else 0.0 for v in values], [len(v) for v in values]


def pooled(view: TrainingView, sites: list[int], target: int, prior: Year | None = None, sites_of_prior=0.0) -> Year:
    years = [months_of(view, s, target) for s in sites]
    curve = []
    for m in range(12):
        top = sum(mean[m] * n[m] / (n[m] + 10) for mean, n in years)
        trust = sum(n[m] / (n[m] + 10) for _, n in years)
        if prior is not None:
            top, trust = top + sites_of_prior * prior[m], trust + sites_of_prior
        curve.append(top / trust)
    return curve


def own_year(view: TrainingView, site: int, target: int, base: Year) -> Year:
    mean, n = months_of(view, site, target)
    trust = [k / (k + 10) for k in n]
    level = sum(w * (x - b) for w, x, b in zip(trust, mean, base, strict=True)) / (sum(trust) + 1)
    return [b + level + w * (x - b - level) for w, x, b in zip(trust, mean, base, strict=True)]


def drawn(view: TrainingView, site: int, year: Year) -> Year:
    flux = []
    for day in view.dates:
        x = (position(day, view.lat[site]) - 0.5) % 12
        left, share = int(x), x - int(x)
        flux.append((1 - share) * year[left] + share * year[(left + 1) % 12])
    return flux


def visible_sites(view: TrainingView, query: int) -> list[int]:
    cluster, known = view.visible.cluster, view.visible.known.any((1, 2))
    return [s for s in range(SITES) if known[s] and cluster[s] != cluster[query]]


def finished(view: TrainingView, site: int, target: int, year: Year) -> Year:
    if view.visible.question == "new_years":
        year = own_year(view, site, target, year)
    return drawn(view, site, year)


def test_climatology_is_the_mean_year_of_the_class_shrunk_to_that_of_all(view):
    flux = Climatology.fit(ClimatologyConfig(prior_sites=2.0), view, KM, 0).predict(view, same_cube=True)
    label = view.classes[:, 0]
    for site in (0, 1, 2, 5, 9, 12, 15):
        for target in range(2):
            shown = visible_sites(view, site)
            alike = [s for s in shown if label[s] == label[site] != 0]
            year = pooled(view, alike, target, prior=pooled(view, shown, target), sites_of_prior=2.0)
            np.testing.assert_allclose(flux[site, :, target], finished(view, site, target, year), rtol=0, atol=1e-5)


def test_nearest_climatology_is_the_mean_of_the_nearest_years(view):
    flux = NearestClimatology.fit(NearestClimatologyConfig(neighbours=3), view, KM, 0).predict(view, same_cube=True)
    raw = {"slow": describe(view)["slow"]}
    place = descriptors(view, raw, {"slow": Standard.fit(raw["slow"][view.train_sites])})["slow"].astype(float)
    for site in (0, 1, 5, 12, 15):
        shown = visible_sites(view, site)
        near = sorted(shown, key=lambda s: np.linalg.norm(place[s] - place[site]))[:3]
        for target in range(2):
            overall = pooled(view, shown, target)
            years = [own_year(view, s, target, overall) for s in near]
            year = [sum(months) / 3 for months in zip(*years, strict=True)]
            np.testing.assert_allclose(flux[site, :, target], finished(view, site, target, year), rtol=0, atol=1e-5)


def test_the_south_is_half_a_year_away(view):
    months = months_since_midwinter(view)
    assert months[0, 0] == 0.0
    assert months[1, 0] == 6.0
    curve = np.zeros((SITES, 12, 2))
    curve[:, 6] = 1.0  # midsummer
    peak = np.argmax(daily(curve, view)[:, :365, 0], axis=1)
    assert set(peak[view.lat > 0]) == {198}  # 18 July
    assert set(peak[view.lat < 0]) == {15}  # 16 January


def test_a_flat_year_is_drawn_flat_and_a_curve_has_no_steps(view):
    flat = daily(np.full((SITES, 12, 2), 3.0), view)
    np.testing.assert_allclose(flat, 3.0, rtol=1e-6)
    curve = np.random.default_rng(0).normal(size=(SITES, 12, 2))
    steps = np.abs(np.diff(daily(curve, view), axis=1)).max()
    assert steps < 1.02 * np.abs(np.diff(curve, axis=1, append=curve[:, :1])).max() * 12 / 365


def test_a_month_that_nobody_measured_stands_at_the_mean_of_the_others(view):
    month = np.floor(months_since_midwinter(view)).astype(int)
    winter = np.where((view.lat < 0)[:, None], month[1], month[0]) < 2
    known = view.visible.known & ~winter[..., None]
    summers = replace(view, visible=replace(view.visible, known=known), target=view.target * known)
    seasons = Seasons.of(summers, np.flatnonzero(known.any((1, 2))))
    year = seasons.typical(np.ones(len(seasons.mean), bool))
    np.testing.assert_allclose(year[:2], np.broadcast_to(year[2:].mean(0), (2, 2)))


def test_without_prior_a_class_never_seen_still_has_the_year_of_all(view):
    strange = replace(view, classes=np.where(np.arange(SITES)[:, None] == 15, 4, view.classes))
    years = [
        Climatology.fit(ClimatologyConfig(prior_sites=prior), strange, KM, 0).predict(
            replace(strange, visible=replace(strange.visible, question="unseen")), same_cube=True
        )[15]
        for prior in (0.0, 5.0)
    ]
    np.testing.assert_array_equal(*years)


def test_other_inputs_are_refused(view):
    from raciflux.errors import UserError

    model = NearestClimatology.fit(NearestClimatologyConfig(), view, KM, 0)
    fewer = replace(view, layout=replace(view.layout, fast=("TA", "SW")), fast=view.fast[..., :2])
    with pytest.raises(UserError, match="fitted on other inputs than TA, SW"):
        model.predict(replace(fewer, fast_mask=view.fast_mask[..., :2]), same_cube=True)
