"""The keys of the trees."""

# ruff: noqa: RUF009  key() is a dataclasses.field

from dataclasses import dataclass

from .declare import key


@dataclass
class LearntDaysConfig:
    """How many days trees learn from: all their features lie in memory at once."""

    days: int = key(
        2_000_000,
        "known days of a target that trees learn from at most, and as many that say when to stop; about so many are "
        "drawn where there are more",
        bounds=(1_000, 100_000_000),
    )


@dataclass
class BoostingConfig(LearntDaysConfig):
    """How boosted trees are grown."""

    rounds: int = key(2000, "trees at most; validation stops earlier", bounds=(1, 100_000))
    learning_rate: float = key(0.05, "shrinkage of each tree", bounds=(1e-4, 1.0))
    leaves: int = key(31, "leaves a tree", bounds=(2, 4096))
    min_leaf: int = key(200, "days a leaf at least", bounds=(1, 1_000_000))
    feature_share: float = key(0.5, "share of the features offered to a tree", bounds=(0.01, 1.0))
    patience: int = key(50, "trees without gain on validation before a stop", bounds=(1, 10_000))


@dataclass
class LightGbmConfig(BoostingConfig):
    """Gradient-boosted trees on drivers, their lags and rolling means, statics and classes."""

    name: str = key("lightgbm", "model name", choices=["lightgbm"])


@dataclass
class ToldTreesConfig(BoostingConfig):
    """Boosted trees that are told besides what neighbours say of the day."""

    feature_share: float = key(0.3, "share of the features offered to a tree", bounds=(0.01, 1.0))
    neighbours: int = key(32, "neighbours of each role and kind", bounds=(1, 1024))


@dataclass
class NeighbourTreesConfig(ToldTreesConfig):
    """The boosted trees, told besides what the response functions of like places say of the day."""

    name: str = key("neighbour_trees", "model name", choices=["neighbour_trees"])
    roles: list[str] = key(["slow", "fast"], "roles whose neighbours are asked", choices=["slow", "fast"])
    kinds: list[str] = key(["functional"], "kinds of neighbourhood", choices=["functional", "geographic"])
    radius_km: float = key(2000.0, "geographic neighbours farther than this are not asked", bounds=(0.0, 20_100.0))
    exclude_km: float = key(
        0.0, "neighbours nearer than this are hidden, beside the site's own cluster", bounds=(0.0, 20_100.0)
    )


@dataclass
class RandomForestConfig(LearntDaysConfig):
    """A random forest on the same features as the boosted trees."""

    name: str = key("random_forest", "model name", choices=["random_forest"])
    trees: int = key(200, "trees", bounds=(1, 10_000))
    leaves: int = key(1024, "leaves a tree", bounds=(2, 100_000))
    min_leaf: int = key(20, "days a leaf at least", bounds=(1, 1_000_000))
    feature_share: float = key(0.33, "share of the features offered to a tree", bounds=(0.01, 1.0))
