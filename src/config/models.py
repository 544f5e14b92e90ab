"""The keys of every model; a model joins the house by a dataclass here and a line in ``MODELS``."""

from dataclasses import dataclass

from .declare import key
from .raci import RaciConfig
from .trees import LightGbmConfig, NeighbourTreesConfig, RandomForestConfig


@dataclass
class SiteMeanConfig:
    """The mean flux of training sites of the same class; what a map without drivers would say."""

    name: str = key("site_mean", "model name", choices=["site_mean"])


@dataclass
class ClimatologyConfig:
    """The mean season of training sites of the same class."""

    name: str = key("climatology", "model name", choices=["climatology"])
    prior_sites: float = key(
        2.0, "sites of evidence towards the mean of all classes that a class starts with", bounds=(0.0, 10_000.0)
    )


@dataclass
class NearestClimatologyConfig:
    """The mean season of the training sites whose place and climate are nearest."""

    name: str = key("nearest_climatology", "model name", choices=["nearest_climatology"])
    neighbours: int = key(8, "training sites averaged", bounds=(1, 1024))


@dataclass
class LstmConfig:
    """LSTM on drivers only."""

    name: str = key("lstm", "model name", choices=["lstm"])
    hidden: int = key(64, "width of the LSTM", bounds=(1, 4096))
    dropout: float = key(0.4, "dropout before the head", bounds=(0.0, 0.95))


@dataclass
class CtLstmConfig:
    """LSTM on drivers joined at each step with embedded statics and classes."""

    name: str = key("ct_lstm", "model name", choices=["ct_lstm"])
    hidden: int = key(64, "width of the LSTM", bounds=(1, 4096))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    dropout: float = key(0.4, "dropout on the embedding and before the head", bounds=(0.0, 0.95))


@dataclass
class EaLstmConfig:
    """LSTM whose input gate is set by the statics (Kratzert et al. 2019)."""

    name: str = key("ea_lstm", "model name", choices=["ea_lstm"])
    hidden: int = key(64, "width of the LSTM", bounds=(1, 4096))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    dropout: float = key(0.4, "dropout on the embedding and before the head", bounds=(0.0, 0.95))


@dataclass
class TcnConfig:
    """Temporal convolutions, dilated and causal, on drivers and embedded statics."""

    name: str = key("tcn", "model name", choices=["tcn"])
    hidden: int = key(48, "channels", bounds=(1, 4096))
    kernel: int = key(3, "days a convolution spans before dilation", bounds=(2, 31))
    levels: int = key(6, "residual blocks; each doubles the dilation", bounds=(1, 12))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    dropout: float = key(0.2, "dropout in each block and on the embedding", bounds=(0.0, 0.95))


@dataclass
class TransformerConfig:
    """Transformer over days, causal by mask."""

    name: str = key("transformer", "model name", choices=["transformer"])
    hidden: int = key(64, "width of a token", bounds=(1, 4096))
    heads: int = key(4, "attention heads; they divide hidden", bounds=(1, 64))
    layers: int = key(2, "encoder layers", bounds=(1, 32))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    dropout: float = key(0.2, "dropout in each layer and before the head", bounds=(0.0, 0.95))


@dataclass
class ITransformerConfig:
    """iTransformer: each variable's whole window is a token; not causal."""

    name: str = key("itransformer", "model name", choices=["itransformer"])
    hidden: int = key(64, "width of a token", bounds=(1, 4096))
    heads: int = key(4, "attention heads; they divide hidden", bounds=(1, 64))
    layers: int = key(2, "encoder layers", bounds=(1, 32))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    dropout: float = key(0.2, "dropout in each layer and before the head", bounds=(0.0, 0.95))


@dataclass
class PyraformerConfig:
    """Pyraformer: attention over a pyramid of days, weeks and months; not causal."""

    name: str = key("pyraformer", "model name", choices=["pyraformer"])
    hidden: int = key(64, "width of a token", bounds=(1, 4096))
    heads: int = key(4, "attention heads; they divide hidden", bounds=(1, 64))
    layers: int = key(2, "encoder layers", bounds=(1, 32))
    window: int = key(5, "neighbours a node attends to on its own scale", bounds=(1, 101))
    week: int = key(5, "days that one node of the second scale joins", bounds=(2, 366))
    month: int = key(6, "nodes of the second scale that one of the third joins", bounds=(2, 366))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    dropout: float = key(0.2, "dropout in each layer and before the head", bounds=(0.0, 0.95))


@dataclass
class TamRlConfig:
    """TAM-RL: a task encoder over a support window of inputs modulates the forecaster."""

    name: str = key("tam_rl", "model name", choices=["tam_rl"])
    hidden: int = key(64, "width of the forecaster", bounds=(1, 4096))
    task: int = key(24, "width of the task vector", bounds=(1, 1024))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    dropout: float = key(0.4, "dropout on the task and before the head", bounds=(0.0, 0.95))


@dataclass
class MomentLstmConfig:
    """Site mean and spread predicted from the place, standardised dynamics by an LSTM."""

    name: str = key("moment_lstm", "model name", choices=["moment_lstm"])
    hidden: int = key(64, "width of the LSTM", bounds=(1, 4096))
    embedding: int = key(16, "width of the static embedding", bounds=(1, 1024))
    moment_weight: float = key(0.3, "weight of the loss on mean and spread", bounds=(0.0, 100.0))
    dropout: float = key(0.4, "dropout on the embedding and before the head", bounds=(0.0, 0.95))


# Models without gradients: fitted at once, no checkpoints, no simulation.
ESTIMATORS: dict[str, type] = {
    "site_mean": SiteMeanConfig,
    "climatology": ClimatologyConfig,
    "nearest_climatology": NearestClimatologyConfig,
    "lightgbm": LightGbmConfig,
    "random_forest": RandomForestConfig,
    "neighbour_trees": NeighbourTreesConfig,
}
NETWORKS: dict[str, type] = {
    "lstm": LstmConfig,
    "ct_lstm": CtLstmConfig,
    "ea_lstm": EaLstmConfig,
    "tcn": TcnConfig,
    "transformer": TransformerConfig,
    "itransformer": ITransformerConfig,
    "pyraformer": PyraformerConfig,
    "tam_rl": TamRlConfig,
    "moment_lstm": MomentLstmConfig,
    "raci": RaciConfig,
}
MODELS: dict[str, type] = ESTIMATORS | NETWORKS

# Parts of each network that transfer may freeze; a test holds them against the modules.
PARTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(NETWORKS, ("slow_encoder", "fast_encoder", "head")),
    "lstm": ("fast_encoder", "head"),
    "raci": ("slow_encoder", "fast_encoder", "retrieval", "head", "own_days"),
}
