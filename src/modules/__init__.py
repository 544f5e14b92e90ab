"""Networks that know only the batch, and the one LightningModule that trains them."""

from collections.abc import Callable
from typing import Any

from torch import nn

from ..config.schema import HeadConfig
from ..contracts import Layout
from .baselines.ct_lstm import CtLstm
from .baselines.itransformer import ITransformer
from .baselines.lstm import Lstm
from .baselines.pyraformer import Pyraformer
from .baselines.tam_rl import TamRl
from .raci import Raci

# A new network joins here and in the tables of ``config.models``.
NETWORKS: dict[str, Callable[[Any, Layout, HeadConfig], nn.Module]] = {
    "raci": Raci,
    "ct_lstm": CtLstm,
    "lstm": Lstm,
    "itransformer": ITransformer,
    "pyraformer": Pyraformer,
    "tam_rl": TamRl,
}
