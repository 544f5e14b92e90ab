from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from raciflux.contracts import Layout, TargetScale, TrainingView, VisibleSet, WindowLayout

SITES, TRAINING_SITES, DAYS, TRAINING_DAYS = 14, 11, 800, 730


def layout(targets: tuple[str, ...] = ("GPP",)) -> Layout:
    return Layout(
        targets=targets,
        fast=("TA", "SW", "VPD", "P"),
        slow=(),
        static=("elevation", "mat"),
        classes=("igbp", "koppen"),
        class_sizes=(4, 3),
        window=WindowLayout(warmup=30, scored=60, block_days=30, history=2),
    )


@pytest.fixture
def view() -> TrainingView:
    return made_up_view(("GPP",))


@pytest.fixture
def two_targets() -> TrainingView:
    """The same sites with two fluxes, each known on days of its own."""
    return made_up_view(("GPP", "NEE"))


def made_up_view(targets: tuple[str, ...]) -> TrainingView:
    """Fourteen sites in pairs that share a cluster, hundreds of kilometres apart; the last three are not trained on."""
    rng = np.random.default_rng(7)
    shape = (SITES, DAYS, len(targets))
    known = rng.random(shape) < 0.4
    known[TRAINING_SITES:] = False
    known[:, TRAINING_DAYS:] = False
    fast = rng.normal(size=(SITES, DAYS, 4)).astype(np.float32) + rng.normal(size=(SITES, 1, 4)).astype(np.float32)
    fast_mask = rng.random(fast.shape) < 0.9
    pair = np.arange(SITES) // 2
    return TrainingView(
        layout=layout(targets),
        site_id=np.array([f"XX-S{i:02d}" for i in range(SITES)]),
        lat=45 + 2.5 * (pair % 3) + 0.1 * (np.arange(SITES) % 2),
        lon=5 + 3.0 * pair,
        dates=np.datetime64("2001-01-01") + np.arange(DAYS),
        driver_days=np.broadcast_to(np.arange(DAYS) < TRAINING_DAYS, (SITES, DAYS)),
        fast=np.where(fast_mask, fast, 0.0).astype(np.float32),
        fast_mask=fast_mask,
        static=rng.normal(size=(SITES, 2)).astype(np.float32),
        static_mask=rng.random((SITES, 2)) < 0.9,
        classes=rng.integers(0, (4, 3), (SITES, 2)),
        target=np.where(known, rng.normal(size=shape) + pair[:, None, None] / 3, 0.0).astype(np.float32),
        visible=VisibleSet(known, pair),
        stopping=np.zeros(shape, bool),
        stopping_target=np.zeros(shape, np.float32),
        train_sites=np.arange(SITES) < TRAINING_SITES,
        scales=tuple(TargetScale("gC m-2 d-1", 4.0, 3.0) for _ in targets),
    )


@pytest.fixture
def reorder() -> Callable[[TrainingView, np.ndarray], TrainingView]:
    def apply(view: TrainingView, order: np.ndarray) -> TrainingView:
        per_site = ("site_id", "lat", "lon", "driver_days", "fast", "fast_mask", "static", "static_mask", "classes")
        return replace(
            view,
            **{name: getattr(view, name)[order] for name in (*per_site, "target", "train_sites")},
            visible=VisibleSet(view.visible.known[order], view.visible.cluster[order]),
        )

    return apply
