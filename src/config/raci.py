"""The keys of RACI: encoders, retrieval for each role, and what a site's own shown days may say."""

# ruff: noqa: RUF009  key() is a dataclasses.field

from dataclasses import dataclass

from .declare import key
from .trees import ToldTreesConfig

LEVEL_OF_ROLE = {"slow": "statistics", "fast": "responses"}  # what of a flux a neighbour brings in each role
QUESTIONS = ["unseen", "few_shot", "new_years", "gap"]


@dataclass
class RetrievalConfig:
    """Neighbours looked up for each role."""

    enabled: bool = key(True, "off: the model works alone")
    roles: list[str] = key(["slow", "fast"], "roles that look up neighbours", choices=["slow", "fast"])
    kinds: list[str] = key(["functional", "geographic"], "kinds of neighbourhood", choices=["functional", "geographic"])
    values: list[str] = key(
        ["inputs", "statistics", "responses"],
        "what a neighbour brings: inputs, how it differs; statistics, its flux's level and season (slow role); "
        "responses, its flux's response to drivers (fast role)",
        choices=["inputs", "statistics", "responses"],
    )
    keys: str = key(
        "descriptors",
        "functional neighbours are near in descriptors, or in a projection of them that is learned",
        choices=["descriptors", "learned"],
    )
    key_width: int = key(16, "width of a learned key", bounds=(1, 1024))
    refresh_every: int = key(
        50,
        "training steps between two searches with learned keys; at least one for each 100 sites that search",
        bounds=(1, 1_000_000),
    )
    neighbours: int = key(8, "neighbours of each kind", bounds=(1, 1024))
    radius_km: float = key(2000.0, "geographic neighbours farther than this are not shown", bounds=(0.0, 20_100.0))
    exclude_km: float = key(
        0.0, "neighbours nearer than this are hidden, beside the query's own cluster", bounds=(0.0, 20_100.0)
    )
    temperature: float = key(1.0, "above 1 weighs neighbours more alike, below 1 less", bounds=(0.01, 100.0))
    pretrain: bool = key(
        False,
        "look neighbours up on the simulation too; off, as there like cells have like fluxes, and like towers do not",
    )
    width: int = key(16, "width of a role's context", bounds=(1, 1024))
    neighbour_dropout: float = key(0.3, "chance that a neighbour is hidden in training", bounds=(0.0, 1.0))
    backend: str = key(
        "auto",
        "what searches descriptors, with the same answer; auto: torch, the faster on a CPU",
        choices=["auto", "faiss", "torch"],
    )


@dataclass
class OwnDaysConfig:
    """What a site's own shown fluxes say of its other days."""

    enabled: bool = key(True, "off: own fluxes are never looked at")
    visibility: list[str] = key(
        QUESTIONS, "what training shows of a site's own fluxes, drawn anew for each window", choices=QUESTIONS
    )
    mixed_effects: float = key(
        0.5,
        "share of a mixed-effects correction in what own days say, learned at the end of a fold; unused in time",
        bounds=(0.0, 1.0),
    )
    trees: float = key(
        0.6,
        "share of trees grown on the site's own errors, with very many shown days; needs mixed_effects",
        bounds=(0.0, 1.0),
    )
    features: int = key(12, "learned features whose coefficients a site may have of its own", bounds=(0, 256))


@dataclass
class FirstGuessConfig:
    """Trees that answer beside the network, told what neighbours' response functions say of the day."""

    enabled: bool = key(True, "off: the network answers alone")
    weight: float = key(0.5, "share of the trees in the answer", bounds=(0.0, 1.0))
    parts: int = key(
        3,
        "parts of the training sites, each guessed by trees grown without it; own days learn from those",
        bounds=(2, 100),
    )
    simulated: bool = key(True, "tell the trees what the network says when it has seen the simulation alone")
    trees: ToldTreesConfig = key(
        ToldTreesConfig, "the trees; they ask the roles and kinds of retrieval, within its distances"
    )


@dataclass
class RaciConfig:
    """Role-aware conditional inference: slow encoder, fast encoder under it, retrieval for each role."""

    name: str = key("raci", "model name", choices=["raci"])
    hidden: int = key(64, "width of the fast encoder", bounds=(1, 4096))
    body: str = key("lstm", "how the fast encoder reads days", choices=["lstm", "gru", "tcn", "attention"])
    conditioning: str = key(
        "film",
        "how the regime acts on the days: film scales and shifts, gates only damp, cross_attention reads the months "
        "anew each day, hyper_network gives each regime weights of its own",
        choices=["film", "gates", "cross_attention", "hyper_network"],
    )
    scales: list[str] = key(
        ["months", "years", "static", "classes"],
        "what the slow encoder reads: trailing months and years of the drivers, static properties, classes",
        choices=["months", "years", "static", "classes"],
    )
    regime: int = key(24, "width of the regime vector", bounds=(1, 1024))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    dropout: float = key(
        0.4,
        "dropout on the regime and before the head; half of it inside the bodies tcn and attention",
        bounds=(0.0, 0.95),
    )
    moments: bool = key(False, "say a site's mean and spread apart from its dynamics")
    moment_weight: float = key(0.3, "weight of the loss on mean and spread", bounds=(0.0, 100.0))
    retrieval: RetrievalConfig = key(RetrievalConfig, "role-aware retrieval")
    first_guess: FirstGuessConfig = key(FirstGuessConfig, "trees that answer beside the network")
    own_days: OwnDaysConfig = key(OwnDaysConfig, "own fluxes, where a question shows some")
