"""Networks that know only the batch, and the one LightningModule that trains them."""

from collections.abc import Callable
from typing import Any

from torch import nn

from ..config.schema import HeadConfig
from ..contracts import Layout
from .baselines.ct_lstm import CtLstm
from .baselines.ea_lstm import EaLstm
from .baselines.itransformer import ITransformer
from .baselines.lstm import Lstm
from .baselines.moment_lstm import MomentLstm
from .baselines.pyraformer import Pyraformer
from .baselines.tam_rl import TamRl
from .baselines.tcn import Tcn
from .baselines.transformer import Transformer
from .paper_compat import PAPER_NETWORKS
from .raci import Raci

# A new network joins here and in the tables of ``config.models``.
NETWORKS: dict[str, Callable[[Any, Layout, HeadConfig], nn.Module]] = {
    "lstm": Lstm,
    "ct_lstm": CtLstm,
    "ea_lstm": EaLstm,
    "tcn": Tcn,
    "transformer": Transformer,
    "itransformer": ITransformer,
    "pyraformer": Pyraformer,
    "tam_rl": TamRl,
    "moment_lstm": MomentLstm,
    "raci": Raci,
}
# What a run can train: the suite that every network must pass covers NETWORKS alone, which paper_compat's would fail.
TRAINABLE: dict[str, Callable[[Any, Layout, HeadConfig], nn.Module]] = NETWORKS | PAPER_NETWORKS
