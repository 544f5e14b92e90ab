"""Who is who, and who is hidden from whom: in the cube that a bank was built of, and in another."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..geography import EARTH_RADIUS_KM, haversine_km, touching_cells, unit_vectors
from .index import Exclusion

Codes = NDArray[np.int64]
Positions = tuple[NDArray[np.float64], NDArray[np.float64]]  # lat, lon
Places = tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.float64]]  # site_id, lat, lon

SAME_PLACE_KM = 1.0  # a namesake farther away is another site


def of_own_cluster(
    queries: Positions, query_cluster: Codes, entries: Positions, entry_cluster: Codes, blocks: bool
) -> Exclusion:
    """Hide from each query the entries of its own cluster, all of one cube.

    Parameters
    ----------
    blocks : whether clusters are blocks of a grid: entries that touch a queried cell of the block are hidden as well,
        as from a block that is held out for a test.
    """
    own = Exclusion.same_code(query_cluster, entry_cluster)
    if not blocks:
        return own
    lat, lon = (np.concatenate(of_both) for of_both in zip(queries, entries, strict=True))
    pairs = np.sort(touching_cells(lat, lon), axis=1)
    count = len(query_cluster)
    query, entry = pairs[(pairs[:, 0] < count) & (pairs[:, 1] >= count)].T
    order = np.argsort(own.group[query], kind="stable")
    ends = np.cumsum(np.bincount(own.group[query], minlength=len(own.hidden)))
    border = np.split(entry[order] - count, ends[:-1])
    return Exclusion(own.group, tuple(map(np.union1d, own.hidden, border)))


def near_or_namesake(queries: Places, entries: Places, cluster: Codes, km: float) -> Exclusion:
    """Hide from each query the clusters of the bank that hold its namesake or an entry closer than ``km``.

    The queries' own nearness to each other plays no part: the cells of a dense map would chain all towers into one.

    Parameters
    ----------
    cluster : (entry,) code of each entry of the bank.
    """
    query_id, query_lat, query_lon = queries
    entry_id, lat, lon = entries
    order = np.argsort(cluster, kind="stable")
    members = dict(zip(*_split(cluster[order], order), strict=True))
    named: dict[str, list[int]] = {}
    for code, name in zip(cluster.tolist(), entry_id.tolist(), strict=True):
        named.setdefault(name, []).append(code)

    groups: dict[frozenset[int], int] = {}
    group = np.empty(len(query_id), np.int64)
    for q, close in enumerate(_closer_than((query_lat, query_lon), (lat, lon), km)):
        hidden = frozenset(cluster[close].tolist()) | frozenset(named.get(str(query_id[q]), ()))
        group[q] = groups.setdefault(hidden, len(groups))
    nobody = np.empty(0, np.int64)
    return Exclusion(group, tuple(np.concatenate([nobody, *(members[c] for c in hidden)]) for hidden in groups))


def and_closer_than(exclusion: Exclusion, queries: Positions, entries: Positions, km: float) -> Exclusion:
    """Hide from each query, beside what is hidden already, the entries closer than ``km``."""
    groups: dict[tuple[int, bytes], int] = {}
    group = np.empty(len(exclusion.group), np.int64)
    hidden: list[Codes] = []
    for q, close in enumerate(_closer_than(queries, entries, km)):
        before = int(exclusion.group[q])
        group[q] = groups.setdefault((before, close.tobytes()), len(groups))
        if group[q] == len(hidden):
            hidden.append(np.union1d(exclusion.hidden[before], close))
    return Exclusion(group, tuple(hidden))


def _closer_than(queries: Positions, entries: Positions, km: float) -> list[Codes]:
    """Positions of the entries closer than ``km`` to each query, ascending."""
    # a metre to spare, as in tower_clusters: the haversine decides
    chord = 2 * np.sin(min((km + 1e-3) / (2 * EARTH_RADIUS_KM), np.pi / 2))
    tree = cKDTree(unit_vectors(*entries))
    near = [np.array(found, np.int64) for found in tree.query_ball_point(unit_vectors(*queries), chord)]
    entry = np.concatenate([np.empty(0, np.int64), *near])
    query = np.repeat(np.arange(len(near)), [len(found) for found in near])
    closer = haversine_km(queries[0][query], queries[1][query], entries[0][entry], entries[1][entry]) < km
    ends = np.cumsum(np.bincount(query[closer], minlength=len(near)))
    return [np.sort(found) for found in np.split(entry[closer], ends[:-1])]


def same_site(queries: Places, entries: Places) -> Codes:
    """Position (query,) of the entry of the same name and place, closer than ``SAME_PLACE_KM``; -1 without one."""
    (query_id, *here), (entry_id, *there) = queries, entries
    position = {str(name): i for i, name in enumerate(entry_id.tolist())}
    own = np.array([position.get(str(name), -1) for name in query_id.tolist()], np.int64)
    named = np.flatnonzero(own >= 0)
    apart = haversine_km(*(degrees[named] for degrees in here), *(degrees[own[named]] for degrees in there))
    own[named[apart >= SAME_PLACE_KM]] = -1
    return own


def _split(codes: Codes, positions: Codes) -> tuple[list[int], list[Codes]]:
    """Cut ``positions`` where the sorted ``codes`` change."""
    values, starts = np.unique(codes, return_index=True)
    return values.tolist(), np.split(positions, starts[1:])
