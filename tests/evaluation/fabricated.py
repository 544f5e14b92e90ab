"""Fabricated run folders: plausible fluxes of made-up towers, for tests and for looking at the report."""

import json
import shutil
from pathlib import Path
from statistics import NormalDist

import numpy as np
import polars as pl
import xarray as xr
from raciflux.atomic import write_text
from raciflux.evaluation.run_folder import write_predictions


def fabricate_predictions(
    sites: int = 12,
    years: int = 2,
    *,
    seed: int = 0,
    model: str = "raci",
    error: float = 1.0,
    target: str = "GPP",
    units: str = "gC m-2 d-1",
    quality: str = "measured",
    odd_sites: tuple[str, ...] = (),
    with_expected: bool = True,
) -> xr.Dataset:
    """Seasonal fluxes with gaps; ``error`` scales the model's errors, the observations depend on ``seed`` alone."""
    world, own = np.random.default_rng(seed), np.random.default_rng([seed, round(1000 * error)])
    days = np.arange(np.datetime64("2005-01-01"), np.datetime64(f"{2005 + years}-01-01"))
    lat, lon = world.uniform(-45, 70, sites), world.uniform(-120, 150, sites)
    phase = 2 * np.pi * (np.arange(days.size) / 365.25 - 0.55 + 0.5 * (lat[:, None] < 0))
    level = world.lognormal(1.0, 0.5, (sites, 1))
    expected = level * np.clip(1 + 0.9 * np.cos(phase), 0, None) * world.gamma(20, 1 / 20, (sites, days.size))
    observed = expected + world.normal(0, 0.15, expected.shape) * (1 + expected)
    qc = np.clip(world.normal(0.85, 0.12, expected.shape), 0, 1)
    observed[world.random(expected.shape) < 0.1] = np.nan
    for gap in world.integers(0, days.size - 40, sites):
        observed[:, gap : gap + 5] = np.nan
    drift = 1 + error * own.normal(0, 0.3, (sites, 1))
    predicted = expected * drift + error * own.normal(0, 0.2, expected.shape) * (0.5 + expected)
    known = np.isfinite(observed)
    data = {
        "prediction": (("site", "time"), predicted.astype(np.float32)),
        "observed": (("site", "time"), observed.astype(np.float32)),
        "measured": (("site", "time"), known & (qc >= 0.75) & (world.random(known.shape) < 0.7)),
        "cluster": ("site", np.arange(sites) // 2),
        "fold": ("site", np.arange(sites) % 5),
        "igbp": ("site", np.array(["ENF", "GRA", "CRO", "WET"])[np.arange(sites) % 4]),
        "koppen": ("site", np.array(["C", "D", "B"])[np.arange(sites) % 3]),
    }
    if quality == "measured":
        data["convention"] = (("site", "time"), known & (qc >= 0.75))
    if with_expected:
        data["expected"] = (("site", "time"), expected.astype(np.float32))
    coords = {"site_id": ("site", [f"XX-S{i:02d}" for i in range(sites)]), "lat": ("site", lat), "lon": ("site", lon)}
    attrs = {
        "target": target,
        "units": units,
        "model": model,
        "experiment": "fabricated",
        "pair": "terrestrial_gpp",
        "quality": quality,
        "min_scored_days": 180,
        "odd_sites": json.dumps(list(odd_sites)),
    }
    return xr.Dataset(data, {**coords, "time": days.astype("datetime64[ns]")}, attrs)


def with_uncertainty(predictions: xr.Dataset, *, level: float = 0.9, quantiles: int = 19) -> xr.Dataset:
    """Add intervals and quantiles of a normal forecast whose spread is the site's own error, so nearly calibrated."""
    values = predictions["prediction"].to_numpy().astype(float)
    error = np.nanstd(values - predictions["observed"].to_numpy(), axis=1, keepdims=True)
    levels = (np.arange(quantiles) + 0.5) / quantiles
    reach = NormalDist().inv_cdf((1 + level) / 2) * error
    at = np.array([NormalDist().inv_cdf(q) for q in levels])[:, None, None]
    return (
        predictions.assign_coords(quantile=levels)
        .assign(
            lower=(("site", "time"), (values - reach).astype(np.float32)),
            upper=(("site", "time"), (values + reach).astype(np.float32)),
            prediction_quantile=(("quantile", "site", "time"), (values + at * error).astype(np.float32)),
            prediction_spread=(("site", "time"), np.broadcast_to(error, values.shape).astype(np.float32)),
        )
        .assign_attrs(interval_level=level, interval_method="normal, made up")
    )


def fabricate_targets(path: Path, targets: tuple[str, ...] = ("GPP", "NEE"), *, seed: int | None = None) -> Path:
    """A run folder of several targets: one scored part a target, also of its baseline ``lstm``."""
    fabricate_run(path, baselines=())
    noted = {} if seed is None else {"seed": seed}
    (path / "predictions.zarr").rename(path / "gone")
    for target in targets:
        predictions = fabricate_predictions(target=target)
        for folder, model in ((path, "raci"), (path / "baselines" / "lstm", "lstm")):
            write_predictions(
                predictions.assign_attrs({"model": model} | noted), folder / "targets" / target / "predictions.zarr"
            )
    shutil.rmtree(path / "gone")
    return path


def fabricate_run(
    path: Path, predictions: xr.Dataset | None = None, baselines: tuple[str, ...] = ("ct_lstm", "site_mean")
) -> Path:
    """A whole run folder: predictions, config, curves, neighbours and baselines of growing error."""
    predictions = fabricate_predictions() if predictions is None else predictions
    write_predictions(predictions, path / "predictions.zarr")
    for i, model in enumerate(baselines):
        rough = predictions.assign(prediction=predictions["prediction"] * (1.2 + 0.3 * i)).assign_attrs(model=model)
        write_predictions(rough, path / "baselines" / model / "predictions.zarr")
    write_text("experiment: fabricated\nmodel:\n  name: raci\n  hidden: 64\n", path / "config.yaml")
    write_text("python scripts/train.py experiment=fabricated\n", path / "command.txt")
    write_text(json.dumps({"commit": "abc1234", "packages": {"torch": "2.13.0"}}), path / "versions.json")
    neighbours = _neighbours(predictions)
    for fold in range(2):
        for stage in ("pretrain", "towers"):
            write_text(_curve(seed=fold), path / f"fold{fold}" / "logs" / stage / "metrics.csv")
        half = pl.col("site_id").rank("dense") % 2 == fold
        own = neighbours.filter(half).with_columns(fold=pl.lit(fold))
        own.write_parquet(path / f"fold{fold}" / "neighbours.parquet")
        _seasons_of(own).write_parquet(path / f"fold{fold}" / "neighbour_seasons.parquet")
        _moved(predictions).filter(half).write_parquet(path / f"fold{fold}" / "context.parquet")
    return path


def _curve(seed: int) -> str:
    rng = np.random.default_rng(seed)
    lines = ["epoch,step,train/loss,val/score,val/GPP/median_r2"]
    for step in range(10, 310, 10):
        train, val = np.exp(-step / 60) + 0.2, np.exp(-step / 50) + 0.4
        lines.append(f"0,{step},{train + rng.normal(0, 0.02):.4f},,")
        if step % 30 == 0:
            lines.append(f"0,{step},,{val + rng.normal(0, 0.02):.4f},0.5")
    return "\n".join(lines) + "\n"


def _neighbours(predictions: xr.Dataset) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    lat, lon = predictions["lat"].to_numpy(), predictions["lon"].to_numpy()
    rows = []
    for i, site in enumerate(predictions["site_id"].to_numpy().astype(str)):
        for role in ("slow", "fast"):
            for kind in ("functional", "geographic"):
                near = np.array([8.0, 12.0]) if kind == "geographic" else np.array([50.0, 180.0])
                for rank in range(8):
                    place = (
                        np.clip(lat[i] + rng.normal(0, near[0]), -55, 75),
                        (lon[i] + rng.normal(0, near[1]) + 180) % 360 - 180,
                    )
                    rows.append((site, role, kind, rank, f"YY-N{rank}", *place, 100.0 * rank, 1 / (1 + rank)))
    names = (
        "site_id",
        "role",
        "kind",
        "rank",
        "neighbour_id",
        "neighbour_lat",
        "neighbour_lon",
        "distance_km",
        "weight",
    )
    return pl.DataFrame(rows, schema=list(names), orient="row")


def _seasons_of(neighbours: pl.DataFrame) -> pl.DataFrame:
    """A season of each neighbour, higher with its number; December is never measured, November on two days."""
    rows = [
        (fold, name, "GPP", month, 1.0 + int(name[-1]) + np.sin(month / 2), 2 if month == 11 else 30)
        for fold, name in neighbours.select("fold", "neighbour_id").unique(maintain_order=True).rows()
        for month in range(1, 12)
    ]
    return pl.DataFrame(rows, schema=["fold", "neighbour_id", "target", "month", "flux", "days"], orient="row")


def _moved(predictions: xr.Dataset) -> pl.DataFrame:
    """How far three levels moved each site and month: months upward, years downward, statics hardly."""
    rows = [
        (str(site), "GPP", level, month, shift * (1 + 0.1 * i), abs(shift) * (1.2 + 0.1 * i), 30)
        for i, site in enumerate(predictions["site_id"].to_numpy())
        for level, shift in (("months", 0.4), ("years", -0.2), ("statics", 0.01))
        for month in range(1, 13)
    ]
    return pl.DataFrame(rows, schema=["site_id", "target", "level", "month", "shift", "size", "days"], orient="row")


def with_distance(predictions: xr.Dataset, *, telling: bool = True, seed: int = 3) -> xr.Dataset:
    """Add distances to a bank: of a telling one they grow with a site's error, else they are noise."""
    rng = np.random.default_rng(seed)
    sites = predictions.sizes["site"]
    error = (predictions["prediction"] - predictions["observed"]).std("time").to_numpy()
    own = np.argsort(np.argsort(error / predictions["prediction"].std("time").to_numpy())) / sites
    base = own if telling else rng.random(sites)
    slow, fast = (np.clip(0.2 + base + rng.normal(0, 0.05, sites), 0, None).astype(np.float32) for _ in range(2))
    return predictions.assign(
        dissimilarity_slow=("site", slow, {"units": "1", "long_name": "slow", "threshold": 0.9}),
        dissimilarity_fast=("site", fast, {"units": "1", "long_name": "fast", "threshold": 0.9}),
        inside_area=("site", ((slow <= 0.9) & (fast <= 0.9)).astype(np.int8)),
    )
