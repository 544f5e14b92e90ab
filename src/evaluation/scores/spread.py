"""Numbers as ``metrics.json`` holds them: undefined ones null, and the distribution of a score over sites."""

from typing import Any

import numpy as np

from ..metrics import FloatArray

QUANTILES = {"median": 0.5, "q25": 0.25, "q75": 0.75, "p90": 0.9}


def number(value: FloatArray | float) -> float | None:
    """Return the number, None where it is undefined."""
    return float(value) if np.isfinite(value) else None


def spread(values: FloatArray) -> dict[str, Any]:
    """Distribution of ``values`` (site,) over the sites that have the number; quantiles interpolate linearly.

    Returns
    -------
    ``sites`` (how many have it), ``mean``, ``median, q25, q75, p90``; None without any.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return {"sites": 0, "mean": None, **dict.fromkeys(QUANTILES)}
    quantiles = {name: float(np.quantile(known, q)) for name, q in QUANTILES.items()}
    return {"sites": known.size, "mean": float(known.mean()), **quantiles}
