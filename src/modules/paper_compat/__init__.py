"""X-MethaneWet's networks with the faults of the code published beside the paper (arXiv 2505.18355).

For reproducing its numbers and for nothing else: built only under ``paper_compat=true``. The corrected models carry the
same names without ``paper_``.
"""

from collections.abc import Callable
from typing import Any

from ...config.schema import HeadConfig
from ...contracts import Layout
from .ea_lstm import PaperEaLstm
from .lstm import PaperLstm
from .shared import PaperNetwork
from .tcn import PaperTcn
from .transformer import PaperTransformer

PAPER_NETWORKS: dict[str, Callable[[Any, Layout, HeadConfig], PaperNetwork]] = {
    "paper_lstm": PaperLstm,
    "paper_ea_lstm": PaperEaLstm,
    "paper_tcn": PaperTcn,
    "paper_transformer": PaperTransformer,
}
