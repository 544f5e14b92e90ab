"""Networks that know only the batch, and the one LightningModule that trains them."""

from collections.abc import Callable
from typing import Any

from torch import nn

from ..contracts import Layout
from .baselines.ct_lstm import CtLstm
from .baselines.lstm import Lstm
from .raci import Raci

# A new network joins here, in ``config.schema.MODELS`` and in ``config.checks.PARTS``; ``workflow.train`` fits models
# without gradients.
NETWORKS: dict[str, Callable[[Any, Layout], nn.Module]] = {"raci": Raci, "ct_lstm": CtLstm, "lstm": Lstm}
