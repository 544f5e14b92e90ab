"""Exact nearest neighbours under exclusions: in a table of features with torch or faiss, on the sphere with a tree.

Each of them only proposes candidates: as many more than are wanted as the query has hidden keys, so that what is hidden
takes nobody's place. Distances are then computed and ordered in float64, and a query whose candidates could have missed
a neighbour through rounding is searched again exhaustively, so that all give the same answer. A cube is looked up once,
so torch stays on the CPU; faiss takes the GPU that its build knows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn.functional import pad

from ..errors import UserError
from ..geography import EARTH_RADIUS_KM, haversine_km, unit_vectors

Backend = Literal["auto", "faiss", "torch"]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Codes = NDArray[np.int64]

SPARE = 16  # candidates beyond k: ties and rounding are settled among them
BLOCK = 4_000_000  # numbers held at once by a search
GPU_CANDIDATES = 2048  # the most that faiss tells of one query on a GPU
GROUP = 64  # keys of which torch at first looks at the nearest alone


@dataclass(frozen=True)
class Neighbours:
    """Nearest keys of each query, nearest first, ties in key order; index -1 and distance inf where too few."""

    index: Codes  # (query, k)
    distance: Doubles  # (query, k)


@dataclass(frozen=True)
class Exclusion:
    """Keys a query may not see: query ``q`` is searched without the keys ``hidden[group[q]]``."""

    group: Codes  # (query,)
    hidden: tuple[Codes, ...]  # (group,) of key positions

    @classmethod
    def nothing(cls, queries: int) -> "Exclusion":
        """Every query sees every key."""
        return cls(np.zeros(queries, np.int64), (np.empty(0, np.int64),))

    @classmethod
    def same_code(cls, query_code: Codes, key_code: Codes) -> "Exclusion":
        """Hide from each query (query,) the keys (key,) that bear its own code."""
        codes, group = np.unique(query_code, return_inverse=True)
        order = np.argsort(key_code, kind="stable")
        low, high = (np.searchsorted(key_code[order], codes, side) for side in ("left", "right"))
        return cls(group.astype(np.int64), tuple(order[a:b] for a, b in zip(low, high, strict=True)))

    def groups(self) -> Iterator[tuple[Codes, Codes]]:
        """Rows of the queries of each group, and the keys hidden from them."""
        order = np.argsort(self.group, kind="stable")
        bounds = np.searchsorted(self.group[order], np.arange(len(self.hidden) + 1))
        for hidden, a, b in zip(self.hidden, bounds[:-1], bounds[1:], strict=True):
            if b > a:
                yield order[a:b], hidden

    def of(self, keys: int) -> Callable[[Codes, Codes], NDArray[np.bool_]]:
        """Return what tells which of the keys (row, candidate) are hidden from the queries (row,), of ``keys`` keys."""
        group = np.repeat(np.arange(len(self.hidden)), [len(hidden) for hidden in self.hidden])
        pairs = np.sort(group * keys + np.concatenate([np.empty(0, np.int64), *self.hidden]))
        beyond = np.append(pairs, np.iinfo(np.int64).max)

        def is_hidden(rows: Codes, candidates: Codes) -> NDArray[np.bool_]:
            asked = self.group[rows, None] * keys + candidates
            return np.asarray(beyond[np.searchsorted(pairs, asked)] == asked)

        return is_hidden

    def alike_in_number(self, spare: int) -> Iterator[tuple[Codes, int]]:
        """Blocks of queries with about as many hidden keys each, and the most of a block, ``spare`` more."""
        number = np.array([len(hidden) for hidden in self.hidden])[self.group] + spare
        order = np.argsort(number, kind="stable")
        first = 0
        while first < len(order):
            # few enough for the candidates to fit, and none that asks for more than twice what the first does
            most = np.arange(1, len(order) - first + 1) * number[order[first:]]
            last = first + max(1, int(np.searchsorted(most, BLOCK)))
            last = min(last, int(np.searchsorted(number[order], 2 * number[order[first]], "right")))
            yield order[first:last], int(number[order[last - 1]])
            first = last


def functional(queries: Floats, keys: Floats, k: int, exclusion: Exclusion, backend: Backend = "auto") -> Neighbours:
    """Find the ``k`` keys (key, feature) nearest to each query (query, feature) in Euclidean distance."""

    def distance(rows: Codes, columns: Codes) -> Doubles:
        squared = np.zeros(columns.shape)
        for query, key in zip(queries.T, keys.T, strict=True):  # feature by feature: no (row, candidate, feature) array
            squared += (query[rows, None].astype(np.float64) - key[columns]) ** 2
        return np.sqrt(squared)

    return _search(queries, keys, k, exclusion, _PROPOSE[resolve(backend)], distance, lambda d: d)


def geographic(
    query: tuple[Doubles, Doubles],
    key: tuple[Doubles, Doubles],
    k: int,
    exclusion: Exclusion,
    radius_km: float = np.inf,
) -> Neighbours:
    """Find the ``k`` places ``key`` nearest to each place ``query`` along the great circle, none beyond ``radius_km``.

    Parameters
    ----------
    query, key : latitudes and longitudes in degrees, (query,) and (key,) each.
    """

    def distance(rows: Codes, columns: Codes) -> Doubles:
        return haversine_km(query[0][rows, None], query[1][rows, None], key[0][columns], key[1][columns])

    def chord(km: Doubles) -> Doubles:
        return np.asarray(2 * np.sin(np.minimum(km / (2 * EARTH_RADIUS_KM), np.pi / 2)))

    found = _search(unit_vectors(*query), unit_vectors(*key), k, exclusion, _propose_with_tree, distance, chord)
    near = found.distance <= radius_km
    return Neighbours(np.where(near, found.index, -1), np.where(near, found.distance, np.inf))


def resolve(backend: Backend) -> Literal["faiss", "torch"]:
    """Say which backend will search features: torch unless faiss is asked for, as torch has been measured to be faster.

    Raises
    ------
    UserError
        If faiss is asked for and not installed.
    """
    if backend != "faiss":
        return "torch"
    if not _faiss_installed():
        raise UserError(
            "model.retrieval.backend=faiss: faiss is not installed; install raciflux[cpu] or raciflux[gpu], "
            "or set model.retrieval.backend=torch"
        )
    return "faiss"


def _faiss_installed() -> bool:
    try:
        import faiss  # noqa: F401
    except ImportError:
        return False
    return True


_Table = NDArray[np.floating[Any]]
_Propose = Callable[[_Table, int], tuple[_Table, Codes]]
"""(queries, wanted) -> squared distances, in the precision of the queries, and key positions; nearest first."""


def _propose_with_faiss(keys: _Table) -> _Propose:
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatL2(keys.shape[1])
    index.add(np.ascontiguousarray(keys))
    faster: Any = index
    if faiss.get_num_gpus():
        device = torch.cuda.current_device() if torch.cuda.is_available() else 0  # each rank has its own
        faster = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), device, index)

    def propose(queries: _Table, wanted: int) -> tuple[_Table, Codes]:
        searched = faster if wanted <= GPU_CANDIDATES else index
        score, position = searched.search(np.ascontiguousarray(queries), wanted)
        return score, position

    return propose


def _propose_with_torch(keys: _Table) -> _Propose:
    """Look for the nearest keys where they must be: in those groups, as many as keys are wanted, that come nearest.

    One product gives what ranks the keys of a query, ``|key|^2 - 2 query . key``, and one pass over it the nearest of
    each group; only the keys of the groups chosen are then ranked.
    """
    stored = torch.from_numpy(keys)
    norm = stored.square().sum(1, keepdim=True)
    filling = -len(stored) % GROUP  # keys beyond the last, infinitely far
    columns = torch.cat([pad(stored, (0, 0, 0, filling)), pad(norm, (0, 0, 0, filling), value=torch.inf)], 1).T
    columns = columns.contiguous()  # (feature + 1, key): the product reads along the keys

    def nearest(queries: Tensor, wanted: int, held: Tensor) -> tuple[Tensor, Tensor]:
        rows = torch.cat([-2 * queries, torch.ones(len(queries), 1)], 1)
        score = torch.mm(rows, columns, out=held[: len(queries)]).view(len(queries), -1, GROUP)
        group = score.amin(-1).topk(min(wanted, score.shape[1]), largest=False, sorted=False).indices
        near = score.gather(1, group[..., None].expand(-1, -1, GROUP)).flatten(1).topk(wanted, largest=False)
        place = group.gather(1, near.indices // GROUP) * GROUP + near.indices % GROUP
        return near.values + queries.square().sum(1, keepdim=True), place

    def propose(queries: _Table, wanted: int) -> tuple[_Table, Codes]:
        blocks = torch.split(torch.from_numpy(queries), max(1, BLOCK // columns.shape[1]))
        held = torch.empty(len(blocks[0]), columns.shape[1])  # new pages for every block would cost as much again
        scores, places = zip(*(nearest(block, wanted, held) for block in blocks), strict=True)
        return torch.cat(scores).numpy(), torch.cat(places).numpy()

    return propose


def _propose_with_tree(keys: _Table) -> _Propose:
    tree = cKDTree(keys)

    def propose(queries: _Table, wanted: int) -> tuple[_Table, Codes]:
        apart, position = tree.query(queries, np.arange(1, wanted + 1), workers=torch.get_num_threads())
        return np.square(apart), position

    return propose


_PROPOSE = {"faiss": _propose_with_faiss, "torch": _propose_with_torch}


def _search(
    queries: _Table,
    keys: _Table,
    k: int,
    exclusion: Exclusion,
    proposing: Callable[[_Table], _Propose],
    distance: Callable[[Codes, Codes], Doubles],
    euclidean: Callable[[Doubles], Doubles],
) -> Neighbours:
    """Rank the proposed candidates by ``distance(rows, columns)``; ``euclidean`` turns one into that between keys."""
    index, ranked = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), np.inf)
    if len(keys) == 0 or len(queries) == 0:
        return Neighbours(index, ranked)
    propose = proposing(keys)
    slack = _rounding(queries, keys)
    width = min(k, len(keys))
    is_hidden = exclusion.of(len(keys))
    for rows, most in exclusion.alike_in_number(k + SPARE):
        wanted = min(most, len(keys))
        score, candidates = propose(queries[rows], wanted)
        shown = np.where(is_hidden(rows, candidates), -1, candidates)
        index[rows, :width], ranked[rows, :width] = _rank(rows, shown, width, distance)
        last = euclidean(ranked[rows, width - 1]) ** 2
        doubtful = rows[(wanted < len(keys)) & (score[:, -1] <= last + slack[rows])]
        for block in _blocks(doubtful, len(keys)):
            columns = np.broadcast_to(np.arange(len(keys)), (len(block), len(keys)))
            shown = np.where(is_hidden(block, columns), -1, columns)
            index[block, :width], ranked[block, :width] = _rank(block, shown, width, distance)
    return Neighbours(index, ranked)


def _rank(
    rows: Codes, columns: Codes, width: int, distance: Callable[[Codes, Codes], Doubles]
) -> tuple[Codes, Doubles]:
    """Order the candidate ``columns`` (row, candidate) by distance, then by position; -1 is no candidate."""
    exact = np.where(columns >= 0, distance(rows, columns), np.inf)
    best = np.lexsort((columns, exact), axis=-1)[:, :width]
    return np.take_along_axis(columns, best, -1), np.take_along_axis(exact, best, -1)


def _rounding(queries: _Table, keys: _Table) -> Doubles:
    """Bound, for each query, the error of a proposed squared distance (Higham 2002, section 3.1, with room to spare).

    A product of d terms errs by at most about d eps times the norms of its factors; the expanded square has three.
    """
    squared = [np.square(x, dtype=np.float64).sum(1) for x in (queries, keys)]
    return np.asarray(4 * (keys.shape[1] + 3) * np.finfo(keys.dtype).eps * (squared[0] + squared[1].max()))


def _blocks(rows: Codes, numbers: int) -> list[Codes]:
    """Cut ``rows`` so that a block holds about ``BLOCK`` numbers, given those of one row."""
    return np.array_split(rows, max(1, len(rows) * numbers // BLOCK))
