"""What neighbours' response functions say of a site's days: against a loop, and who may say it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from raciflux.config.raci import RetrievalConfig
from raciflux.retrieval.bank import Bank
from raciflux.retrieval.neighbour_flux import NEARNESS, NeighbourFlux
from raciflux.retrieval.responses import ResponseBasis

ASKED = [(role, kind) for role in ("slow", "fast") for kind in ("functional", "geographic")]


def asked(view, shown=None, neighbours=3):
    return NeighbourFlux(Bank.build(shown or view, 50.0), view, True, RetrievalConfig(neighbours=neighbours))


def every_site(view, shown=None):
    found = asked(view, shown)
    return np.stack([found.of_site(site) for site in range(len(view.site_id))])


def test_it_is_the_mean_of_neighbours_weighed_by_nearness(two_targets):
    view, site = two_targets, 12
    view.visible.known[2, :, 1] = False  # a site that never measured the second flux
    bank, basis = Bank.build(view, 50.0), ResponseBasis(view.layout)
    config = RetrievalConfig(neighbours=10)
    found = bank.look_up(view, config, same_cube=True).found
    drivers = (torch.from_numpy(each[[site]].astype(np.float32)) for each in (view.fast, view.fast_mask))
    terms = basis(*drivers)[0].numpy()
    columns = []
    for role, kind in ASKED:
        near = found[role, kind]
        measure = near.functional[site] if kind == "functional" else np.log(1 + near.km[site] / 100)
        for target in range(2):
            total = weights = 0.0
            for entry, distance in zip(near.index[site], measure, strict=True):
                if entry >= 0 and bank.evidence[entry, target] > 0:
                    weight = np.exp(-(distance - measure.min()) / NEARNESS[kind])
                    total = total + weight * (terms @ bank.coefficients[entry, target])
                    weights += weight
            columns.append(total / weights)
    ours = asked(view, neighbours=10)
    assert ours.names == tuple(f"{flux}_of_{kind}_{role}_neighbours" for role, kind in ASKED for flux in ("GPP", "NEE"))
    assert (bank.evidence == 0).any()
    np.testing.assert_allclose(ours.of_site(site), np.stack(columns, axis=-1), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("code", range(5))
def test_the_own_cluster_says_nothing(view, code):
    mates = view.visible.cluster == code
    noise = np.random.default_rng(code).normal(size=view.target.shape).astype(np.float32)
    told = replace(view, target=np.where(mates[:, None, None] & view.visible.known, noise, view.target))
    before, after = every_site(view), every_site(told)
    np.testing.assert_array_equal(after[mates], before[mates])
    assert (after[~mates] != before[~mates]).any()


def test_no_day_hears_of_later_weather(view):
    later = np.arange(len(view.dates)) > 300
    bent = replace(view, fast=np.where(later[None, :, None], 5, view.fast).astype(np.float32))
    functions = asked(view)
    before = functions.of_site(12)
    functions.view = bent
    after = functions.of_site(12)
    np.testing.assert_array_equal(after[~later], before[~later])
    assert (after[later] != before[later]).any()


def test_where_nobody_may_be_seen_nothing_is_said(view):
    one = np.arange(len(view.site_id)) < 2  # both of one cluster
    only = replace(view, visible=replace(view.visible, known=view.visible.known & one[:, None, None]))
    said = every_site(only)
    assert np.isnan(said[one]).all()
    assert np.isfinite(said[~one]).all()
