"""The keys of X-MethaneWet's networks as published, faults included; they need ``paper_compat=true``."""

from dataclasses import dataclass

from .declare import key


@dataclass
class PaperLstmConfig:
    """X-MethaneWet's LSTM as published; needs paper_compat=true."""

    name: str = key("paper_lstm", "model name", choices=["paper_lstm"])
    hidden: int = key(8, "width of each of three layers", bounds=(1, 4096))


@dataclass
class PaperEaLstmConfig:
    """X-MethaneWet's EA-LSTM as published; needs paper_compat=true."""

    name: str = key("paper_ea_lstm", "model name", choices=["paper_ea_lstm"])
    hidden: int = key(8, "width of the LSTM", bounds=(1, 4096))


@dataclass
class PaperTcnConfig:
    """X-MethaneWet's TCN as published, days as channels; needs paper_compat=true."""

    name: str = key("paper_tcn", "model name", choices=["paper_tcn"])
    hidden: int = key(8, "width of the network over a day's inputs", bounds=(1, 4096))


@dataclass
class PaperTransformerConfig:
    """X-MethaneWet's Transformer as published, attending across the batch; needs paper_compat=true."""

    name: str = key("paper_transformer", "model name", choices=["paper_transformer"])
    hidden: int = key(8, "width of a token, a multiple of its 4 heads", bounds=(4, 4096))


PAPER_HEADS = 4  # of paper_transformer
PAPER_MODELS: dict[str, type] = {
    "paper_lstm": PaperLstmConfig,
    "paper_ea_lstm": PaperEaLstmConfig,
    "paper_tcn": PaperTcnConfig,
    "paper_transformer": PaperTransformerConfig,
}
PAPER_PARTS: dict[str, tuple[str, ...]] = dict.fromkeys(PAPER_MODELS, ("fast_encoder", "head"))
