"""Exact neighbours of places among 60,000: ours against scikit-learn's and faiss; and what new keys cost a training.

Every side begins with arrays and ends with neighbours and distances, but for the ball tree of 64 features, which finds
its tree grown. Sides must agree on distances to 1e-5, and where some are equal ours must be ordered by position, which
in a bank is that of site_id, or the benchmark stops: one place in fifty stands where another one stands. The ball tree
of 64 features answers some of the queries only; as everywhere, what is compared is queries a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.geography import EARTH_RADIUS_KM, haversine_km, unit_vectors
from raciflux.retrieval.index import Exclusion, Neighbours, functional, geographic
from raciflux.retrieval.learned_keys import LearnedKeys
from raciflux.retrieval.look_up import LookUp
from raciflux.workflow.stages import quiet
from sklearn.neighbors import BallTree, NearestNeighbors
from threadpoolctl import threadpool_limits

from .made_up import data_module
from .raci import WIDTH, drawn_batch, trainable, trained
from .settings import Settings
from .timing import Bar, Row, Spread, paired, rates, torch_threads

K, FEATURES, LATENT = 16, 64, 8
FEW, FEWER = 1000, 100  # queries; the second of the ball tree of 64 features
LONG = 3  # all places ask in this part of the rounds
SAME = 1e-5
TREE, NOT_SLOWER = Bar(20.0, at_least=True), Bar(1.0, at_least=True)
REFRESH = Bar(0.02, at_least=False)
OURS, BALL, FAISS, AGAIN = "ours", "scikit-learn BallTree", "ours with faiss", "faiss, ranked again"

Doubles = NDArray[np.float64]
Answer = tuple[Doubles, NDArray[np.int64]]  # distances and positions (query, k)


@dataclass(frozen=True)
class Places:
    """Places on Earth and their keys by name."""

    lat: Doubles
    lon: Doubles
    keys: dict[str, NDArray[np.float32]]

    def degrees(self, rows: NDArray[np.int64] | slice = slice(None)) -> tuple[Doubles, Doubles]:
        """Latitude and longitude of some."""
        return self.lat[rows], self.lon[rows]


def measure(settings: Settings, threads: Sequence[int]) -> list[Row]:
    """Measure each number of threads.

    Raises
    ------
    RuntimeError
        If two sides do not find the same: then their times cannot be compared.
    """
    places = draw_places(settings.places, settings.seed)
    rows = []
    for count in threads:
        with torch_threads(count), threadpool_limits(count):
            for name in places.keys:
                rows += _asked(settings, count, f"{FEATURES} {name}", functional_sides(places, name), everyone=False)
            rows += _asked(settings, count, f"{FEATURES} {name}", functional_sides(places, name), everyone=True)
            rows += _asked(settings, count, "sphere", geographic_sides(places), everyone=False)
            rows += _asked(settings, count, "sphere", geographic_sides(places), everyone=True)
            rows += refreshes(settings, places, count)
    return rows


def draw_places(count: int, seed: int) -> Places:
    """Draw places evenly over the sphere, the last fiftieth of them on the spot of earlier ones."""
    rng = np.random.default_rng(seed)
    lat, lon = np.degrees(np.arcsin(rng.uniform(-1, 1, count))), rng.uniform(-180, 180, count)
    alike = rng.standard_normal((count, LATENT)) @ rng.standard_normal((LATENT, FEATURES)) / LATENT**0.5
    keys = {
        "independent": rng.standard_normal((count, FEATURES)),
        "correlated": alike + 0.3 * rng.standard_normal((count, FEATURES)),
    }
    twins = count // 50
    if twins:
        for numbers in (lat, lon, *keys.values()):
            numbers[-twins:] = numbers[:twins]
    return Places(lat, lon, {name: key.astype(np.float32) for name, key in keys.items()})


Side = Callable[[NDArray[np.int64]], Answer]  # by the positions of those that ask


def functional_sides(places: Places, name: str) -> dict[str, Side]:
    """Return the ways to search features."""
    keys = places.keys[name]
    tree = BallTree(keys)

    def ours(rows: NDArray[np.int64]) -> Answer:
        return _as_pair(functional(keys[rows], keys, K, Exclusion.nothing(len(rows))))

    def faiss(rows: NDArray[np.int64]) -> Answer:
        return _as_pair(functional(keys[rows], keys, K, Exclusion.nothing(len(rows)), "faiss"))

    def brute(rows: NDArray[np.int64]) -> Answer:
        distance, index = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(keys).kneighbors(keys[rows])
        return distance, index

    def ball(rows: NDArray[np.int64]) -> Answer:
        distance, index = tree.query(keys[rows], K)
        return distance, index

    return {
        OURS: ours,
        BALL: ball,
        "scikit-learn brute force": brute,
        FAISS: faiss,
    }


def geographic_sides(places: Places) -> dict[str, Side]:
    """Return the ways to search the sphere."""
    lat, lon = places.degrees()

    def ours(rows: NDArray[np.int64]) -> Answer:
        return _as_pair(geographic(places.degrees(rows), (lat, lon), K, Exclusion.nothing(len(rows))))

    def ball(rows: NDArray[np.int64]) -> Answer:
        radians = np.radians(np.stack([lat, lon], axis=1))
        distance, index = BallTree(radians, metric="haversine").query(radians[rows], K)
        return distance * EARTH_RADIUS_KM, index

    def faiss(rows: NDArray[np.int64]) -> Answer:
        points = unit_vectors(lat, lon).astype(np.float32)
        near = functional(points[rows], points, 2 * K, Exclusion.nothing(len(rows)), "faiss").index
        km = haversine_km(lat[rows, None], lon[rows, None], lat[near], lon[near])
        best = np.lexsort((near, km), axis=-1)[:, :K]
        return np.take_along_axis(km, best, -1), np.take_along_axis(near, best, -1)

    return {OURS: ours, "scikit-learn haversine BallTree": ball, AGAIN: faiss}


def check(ours: Answer, theirs: Answer, name: str) -> None:
    """Stop unless both know the same distances and ours orders equal ones by position."""
    rows = len(theirs[0])
    apart = float(np.abs(ours[0][:rows] - theirs[0]).max())
    if not apart <= SAME:
        raise RuntimeError(f"{name}: distances differ by {apart:g}")
    again = np.lexsort((ours[1], ours[0]), axis=-1)
    if not np.array_equal(again, np.broadcast_to(np.arange(again.shape[1]), again.shape)):
        raise RuntimeError(f"{name}: equal distances are not in the order of the places")


def _asked(settings: Settings, threads: int, what: str, sides: dict[str, Side], everyone: bool) -> list[Row]:
    """Let some places ask, or all; of all, the slowest sides are spared."""
    places = settings.places
    rng = np.random.default_rng(settings.seed)
    asking = np.arange(places) if everyone else np.sort(rng.choice(places, min(FEW, places), replace=False))
    spared = (BALL, FAISS, AGAIN) if everyone else ()
    rows = {name: asking[:FEWER] if name == BALL else asking for name in sides if name not in spared}
    for name in rows:
        check(sides[OURS](asking[:FEW]), sides[name](rows[name][:FEW]), name)
    run = {name: _counted(sides[name], asked) for name, asked in rows.items()}
    measured = rates(run, max(settings.rounds // LONG, 1) if everyone else settings.rounds)
    median = {name: Spread.of(of_side).median for name, of_side in measured.items()}
    number = "all" if everyone else f"{len(asking):,}"
    return [
        Row(
            f"{what}, {number} ask: {name}", threads, median[OURS], median[name], "queries/s",
            paired(measured[OURS], measured[name]), TREE if name == BALL else NOT_SLOWER,
        )
        for name in rows if name != OURS
    ]  # fmt: skip


def _counted(side: Side, rows: NDArray[np.int64]) -> Callable[[], int]:
    return lambda: len(side(rows)[0])


def _as_pair(found: Neighbours) -> Answer:
    return found.distance, found.index


def refreshes(settings: Settings, places: Places, threads: int) -> list[Row]:
    """Measure the searches of both roles with new learned keys against the training that they serve.

    They come as often as training has them by default; among 60,000 places also once an epoch of a window each.
    """
    quiet()
    data = data_module(settings.sites, settings.batch, settings.seed)
    model = RaciConfig(hidden=WIDTH, retrieval=RetrievalConfig(keys="learned"))
    step = trained(trainable(settings, data, model), drawn_batch(data, settings), 1)
    towers = _refresh(draw_places(settings.sites, settings.seed), model.retrieval)
    sides = {"step": step, "towers": towers, "many": _refresh(places, model.retrieval)}
    measured = rates(sides, max(settings.rounds // LONG, 1))
    seconds = {name: [1 / rate for rate in of_side] for name, of_side in measured.items()}
    epoch = -(-settings.places // settings.batch)
    shares = [("towers", settings.sites, _every(settings.sites, model)), ("many", settings.places, epoch)]
    shares.append(("many", settings.places, _every(settings.places, model)))
    return [_share(f"{count:,} places", threads, seconds[name], seconds["step"], n) for name, count, n in shares]


def _every(sites: int, model: RaciConfig) -> int:
    keys = LearnedKeys(1, model.retrieval.key_width, model.retrieval.refresh_every)
    keys.serve(sites)
    return keys.every


def _refresh(places: Places, config: RetrievalConfig) -> Callable[[], int]:
    here, key = places.degrees(), places.keys["correlated"][:, : config.key_width]
    own = Exclusion.same_code(np.arange(len(key)), np.arange(len(key)))
    look_up = LookUp(here, here, own, config.neighbours, config.radius_km, "auto")

    def run() -> int:
        for _ in config.roles:
            look_up.find("functional", key, key)
        return 1

    return run


def _share(what: str, threads: int, refresh: Sequence[float], step: Sequence[float], steps: int) -> Row:
    served = [steps * one for one in step]
    medians = [Spread.of(seconds).median for seconds in (refresh, served)]
    return Row(
        f"learned keys of {what}, against {steps} steps", threads, *medians, "s", paired(refresh, served), REFRESH
    )
