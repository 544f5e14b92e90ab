"""Rule 2: splits, validation and every look-up go by cluster; clusters are those of all sites, before any split."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import test_estimators
import torch
import xarray as xr
from fabricated_view import KM, TRAIN, fabricated_view, with_flux
from made_towers import IN_SPACE, all_folds, made_towers
from raciflux.config.raci import RetrievalConfig
from raciflux.config.schema import SplitConfig
from raciflux.config.sources import EmbeddedSource
from raciflux.contracts import TrainingView
from raciflux.datamodules import split_draws, split_kinds, splits
from raciflux.datamodules.split_kinds import DRAWS
from raciflux.datamodules.splits import PARTS, Split, simulation_split
from raciflux.modules.baselines.known_sites import KnownSites
from raciflux.retrieval import bank as bank_module
from raciflux.retrieval.bank import Bank
from raciflux.retrieval.flux_statistics import FluxStatistics
from raciflux.retrieval.index import Exclusion
from raciflux.retrieval.role_aware import RoleAwareRetrieval
from raciflux.workflow import prepare as prepare_module

from worlds import tiny_cube

from .world import DATA, Leak, config

# --- splits -----------------------------------------------------------------------------------------------------------

KINDS = (*IN_SPACE, "temperature_tail")
CLUSTER = np.array([0, 1, 2, 0, 3, 4, 5, 5, 6, 2, 7, 8, 8, 8, 9, 0])


def check_splits() -> None:
    """No cluster of towers stands in two parts, whichever kind draws."""
    towers = made_towers(CLUSTER)
    for kind in KINDS:
        for split in all_folds(SplitConfig(kind=kind, folds=3), towers):
            refuse_cut_clusters(split, towers.site_id, CLUSTER, f"{kind}, fold {split.fold}")


def refuse_cut_clusters(split: Split, site_id: np.ndarray, cluster: np.ndarray, what: str) -> None:
    for code in np.unique(cluster):
        parts = [part for part in PARTS if (split.members(part, site_id) & (cluster == code)).any()]
        assert len(parts) <= 1, f"{what}: one cluster in {parts}"


def dealt_by_site(patch: pytest.MonkeyPatch) -> None:
    def blind(draw: Callable[..., Split]) -> Callable[..., Split]:
        return lambda config, fold, towers: draw(config, fold, replace(towers, cluster=np.arange(len(towers.cluster))))

    for name, kind in DRAWS.items():
        patch.setitem(DRAWS, name, replace(kind, draw=blind(kind.draw)))


def dealt_by_site_unguarded(patch: pytest.MonkeyPatch) -> None:
    dealt_by_site(patch)
    patch.setattr(split_draws, "check_split", lambda *given: None)


def validation_by_site(patch: pytest.MonkeyPatch) -> None:
    """The test goes by cluster, validation does not."""
    hold_out = split_kinds._hold_out

    def blind(config, fold, towers, test):
        return hold_out(config, fold, replace(towers, cluster=np.arange(len(towers.cluster))), test)

    patch.setattr(split_kinds, "_hold_out", blind)
    patch.setattr(split_draws, "check_split", lambda *given: None)


SPLITS = {
    "split by site instead of cluster": Leak(dealt_by_site, "cuts a cluster"),
    "split by site, the guard asleep": Leak(dealt_by_site_unguarded, "one cluster in .*'test'"),
    "validation drawn by site": Leak(validation_by_site, r"one cluster in \['train', 'validation'\]"),
}


# --- which sites form a cluster ---------------------------------------------------------------------------------------


def check_chains() -> None:
    """Two towers joined only through a third stay together although the third has no flux and leaves."""
    cube = tiny_cube(sites=9, days=400)
    lat, lon = cube["lat"].to_numpy().copy(), cube["lon"].to_numpy().copy()
    lat[:3], lon[:3] = [48.0, 48.3, 48.6], 9.0  # 33 km from one to the next, 67 km from end to end
    silent = cube["GPP"].where(xr.DataArray(np.arange(9) != 1, dims="site"))
    cube = cube.assign_coords(lat=("site", lat), lon=("site", lon)).assign(GPP=silent)
    chosen = config("lstm", data=replace(DATA, source=EmbeddedSource()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare_module, "read", lambda *given: cube)
        prepared = prepare_module.prepare(chosen)
    kept = prepared.towers["site_id"].to_numpy().tolist()
    assert "XX-T01" not in kept and len(kept) == 8, "the tower between was to leave"
    ends = prepared.cluster[[kept.index("XX-T00"), kept.index("XX-T02")]]
    assert ends[0] == ends[1], "a cluster falls apart when a tower without flux leaves it"
    assert len(np.unique(prepared.cluster)) == 5
    np.testing.assert_array_equal(prepared.described.cluster, prepared.cluster)


def clusters_without_the_silent(patch: pytest.MonkeyPatch) -> None:
    clusters = prepare_module.clusters_of

    def of_labelled(cube, km):
        labelled = np.arange(cube.sizes["site"]) != 1
        codes = np.full(cube.sizes["site"], 99)
        codes[labelled] = clusters(cube.isel(site=labelled), km)
        return codes

    patch.setattr(prepare_module, "clusters_of", of_labelled)


CHAINS = {"clusters drawn after sites left": Leak(clusters_without_the_silent, "a cluster falls apart")}


# --- the blocks of a grid ---------------------------------------------------------------------------------------------


def check_blocks() -> None:
    """Cells that validate a pretraining are whole blocks of 5 degrees, and no training cell touches them."""
    lat, lon = (each.ravel() for each in np.meshgrid(np.arange(30.25, 45, 0.5), np.arange(-7.25, 13, 0.5)))
    site_id = np.array([f"cell {i}" for i in range(len(lat))])
    cells = simulation_split(0.2, 0, site_id, lat, lon, np.ones(len(lat), bool))
    train, validation = (cells.members(part, site_id) for part in ("train", "validation"))
    block = np.floor(lat / 5) * 100 + np.floor((lon % 360) / 5)
    held = np.isin(block, block[validation])
    assert (held == validation).all(), "a block is cut"
    gap = np.maximum(np.abs(lat[:, None] - lat[validation]), np.abs(lon[:, None] - lon[validation])).min(1)
    assert (gap[train] > 0.75).all(), "a training cell touches a held-out block"
    assert train.sum() > 0.5 * len(train)


def cells_dealt_one_by_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(splits, "grid_blocks", lambda lat, lon: np.arange(len(lat)))


def no_border(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(splits, "touching_cells", lambda lat, lon: np.empty((0, 2), np.int64))


BLOCKS = {
    "grid split by cell": Leak(cells_dealt_one_by_one, "a block is cut"),
    "no border around a held-out block": Leak(no_border, "touches a held-out block"),
}


# --- retrieval --------------------------------------------------------------------------------------------------------


def contexts(view: TrainingView, same_cube: bool) -> torch.Tensor:
    """All that retrieval tells each site: its context, and what responses say of its first days (site, number)."""
    chosen = RetrievalConfig(neighbours=4, width=5, neighbour_dropout=0.0)
    torch.manual_seed(0)
    retrieval = RoleAwareRetrieval(chosen, view.layout).eval()
    bank = Bank.build(view, KM)
    retrieval.attach(bank, bank.look_up(view, chosen, same_cube))
    drivers = {"fast": view.fast[:, :40], "fast_mask": view.fast_mask[:, :40].astype(np.float32)}
    window: Any = {name: torch.from_numpy(each) for name, each in drivers.items()}
    window["site"] = torch.arange(len(view.site_id))
    with torch.no_grad():
        context, said = retrieval(window)
        return torch.cat([context, said.flatten(1)], dim=1)


def check_retrieval() -> None:
    """An absurd flux of one tower changes the context of no site of its cluster, in this cube or in another."""
    view = fabricated_view()
    for same_cube in (True, False):
        before = contexts(view, same_cube)
        for liar in range(0, TRAIN, 3):
            after = contexts(with_flux(view, np.arange(len(view.site_id)) == liar, 1e3), same_cube)
            moved = (after != before).any(1).numpy()
            mates = view.visible.cluster == view.visible.cluster[liar]
            where = "this cube" if same_cube else "another cube"
            assert not moved[mates].any(), f"in {where} a site learns of its own cluster"
            assert moved.any(), "nobody learns of this flux: the check is blind"


def nothing_hidden(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Exclusion, "same_code", lambda query, key: Exclusion.nothing(len(query)))


def only_itself_hidden(patch: pytest.MonkeyPatch) -> None:
    """Each site is kept from its own fluxes, and sees those of the tower next door."""
    patch.setattr(Bank, "hidden_from", lambda self, view, *rest: _only_itself(self.site_id, view))


def _only_itself(entries: np.ndarray, view: TrainingView) -> Exclusion:
    own = tuple(np.flatnonzero(entries == name) for name in view.site_id)
    return Exclusion(np.arange(len(own)), own)


def nearness_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bank_module, "near_or_namesake", lambda asked, *rest: Exclusion.nothing(len(asked[0])))


def statistics_shrunk_to_the_mean_of_all(patch: pytest.MonkeyPatch) -> None:
    """Through it every neighbour carries a trace of the query's own cluster."""
    statistics = bank_module.flux_statistics

    def shrunk(view: TrainingView, sites: np.ndarray) -> FluxStatistics:
        known = statistics(view, sites)
        return known._replace(values={role: _to_the_mean(each) for role, each in known.values.items()})

    patch.setattr(bank_module, "flux_statistics", shrunk)


def responses_shrunk_to_the_mean_of_all(patch: pytest.MonkeyPatch) -> None:
    """The same by way of the functions that are asked day by day, alone."""
    statistics = bank_module.flux_statistics

    def shrunk(view: TrainingView, sites: np.ndarray) -> FluxStatistics:
        known = statistics(view, sites)
        return known._replace(coefficients=_to_the_mean(known.coefficients))

    patch.setattr(bank_module, "flux_statistics", shrunk)


def _to_the_mean(each: np.ndarray) -> np.ndarray:
    return 0.9 * each + 0.1 * each.mean(0)


RETRIEVAL = {
    "bank without cluster exclusion": Leak(nothing_hidden, "this cube a site learns of its own"),
    "bank that hides the site and not its cluster": Leak(only_itself_hidden, "this cube a site learns of its own"),
    "another cube, nearness forgotten": Leak(nearness_forgotten, "another cube a site learns of its own"),
    "neighbours shrunk to the mean of all sites": Leak(statistics_shrunk_to_the_mean_of_all, "learns of its own"),
    "responses shrunk to the mean of all sites": Leak(responses_shrunk_to_the_mean_of_all, "learns of its own"),
}


# --- estimators -------------------------------------------------------------------------------------------------------


def check_estimators() -> None:
    """An absurd flux moves no estimator at any site of its cluster; of new years, at its own site alone."""
    for name in test_estimators.LOOKING_UP:
        for question in ("unseen", "new_years"):
            try:
                test_estimators.test_the_own_cluster_is_never_seen(name, question)
            except AssertionError as error:
                raise AssertionError(f"{name} sees the query's cluster") from error


def estimators_see_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(KnownSites, "hidden_from", lambda self, view, same: Exclusion.nothing(len(view.site_id)))


def estimators_see_mates(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(KnownSites, "hidden_from", lambda self, view, same: _only_itself(self.site_id, view))


def mates_answer_new_years(patch: pytest.MonkeyPatch) -> None:
    """Asked of new years, a site takes the past of its cluster's first tower for its own."""

    def of_cluster(self: KnownSites, view: TrainingView) -> np.ndarray:
        if view.visible.question != "new_years":
            return np.full(len(view.site_id), -1)
        return np.array([np.flatnonzero(self.cluster == code)[0] for code in view.visible.cluster])

    patch.setattr(KnownSites, "own", of_cluster)


ESTIMATORS = {
    "site mean that sees the query's cluster": Leak(estimators_see_all, "site_mean sees"),
    "site mean that sees the tower next door": Leak(estimators_see_mates, "site_mean sees"),
    "new years answered by the tower next door": Leak(mates_answer_new_years, "site_mean sees"),
}
