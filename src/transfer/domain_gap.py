"""How far apart two domains lie in a network's eyes: two measures of the gap between embeddings of their windows.

A gap of zero is not the aim by itself: a network that tells nothing apart has none. It says whether what was learned
of one domain can be read the same way in the other.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

PARTS = 5  # of the cross-validation; fewer where a domain has fewer places


def proxy_a_distance(towers: Floats, simulated: Floats, tower_place: Places, simulated_place: Places) -> float | None:
    """Return the proxy A-distance, ``2 (1 - 2 error)`` of a classifier that tells the domains apart.

    Ben-David et al. 2007 and 2010 (doi:10.1007/s10994-009-5152-4, section 4): 0 where it does no better than chance, 2
    where it never errs. The classifier is a logistic regression on standardised embeddings. It is asked about places
    that it has not seen: windows of one place are alike, and telling the place would pass for telling the domain. Both
    domains weigh alike, however many windows each has. An error above chance is chance.

    Parameters
    ----------
    towers, simulated : (window, feature) embeddings.
    tower_place, simulated_place : (window,) code of each window's place; codes of the two domains are not compared.

    Returns
    -------
    Without a unit, from 0 to 2; None where a domain has fewer than two places.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second, and is wanted once a training
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = min(PARTS, len(np.unique(tower_place)), len(np.unique(simulated_place)))
    if parts < 2:
        return None
    embedded = np.concatenate([towers, simulated])
    is_tower = np.repeat([True, False], [len(towers), len(simulated)])
    part = np.concatenate([_parts(tower_place, parts), _parts(simulated_place, parts)])
    wrong = np.zeros(len(embedded), bool)
    for held in range(parts):
        asked = part == held
        classifier = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        classifier.fit(embedded[~asked], is_tower[~asked])
        wrong[asked] = classifier.predict(embedded[asked]) != is_tower[asked]
    error = (wrong[is_tower].mean() + wrong[~is_tower].mean()) / 2
    return float(max(0.0, 2.0 * (1.0 - 2.0 * error)))


def _parts(place: Places, parts: int) -> Places:
    """Deal places out in turn, whole; the part (window,) that each window is held out with."""
    _, code = np.unique(place, return_inverse=True)
    return np.asarray(code % parts)


def squared_discrepancy(towers: Floats, simulated: Floats) -> float | None:
    """Return the squared maximum mean discrepancy of two sets of embeddings, without bias.

    Gretton et al. 2012 (JMLR 13, equation 3 and section 8) with the kernel ``exp(-d^2 / (2 width^2))``, whose width is
    the median distance ``d`` between two windows of either domain. 0 on average for domains that are alike, so it may
    come out slightly below.

    Parameters
    ----------
    towers, simulated : (window, feature) embeddings.

    Returns
    -------
    Without a unit, at most 2; None where a domain has fewer than two windows.
    """
    if min(len(towers), len(simulated)) < 2:
        return None
    both, count = np.concatenate([towers, simulated]), len(towers)
    distance = pdist(both)
    width = float(np.median(distance)) or 1.0  # 0 where most are embedded alike
    kernel = squareform(np.exp(-0.5 * (distance / width) ** 2))  # 0 on its diagonal: no window is paired with itself
    own, other = kernel[:count, :count], kernel[count:, count:]
    within = sum(of.sum() / (len(of) * (len(of) - 1)) for of in (own, other))
    return float(within - 2.0 * kernel[:count, count:].mean())
