"""Every network of the house at a tiny size: a new one joins the suites by a line here."""

from dataclasses import replace
from typing import Any

import pytest
from raciflux.config.models import (
    CtLstmConfig,
    EaLstmConfig,
    ITransformerConfig,
    LstmConfig,
    MomentLstmConfig,
    PyraformerConfig,
    TamRlConfig,
    TcnConfig,
    TransformerConfig,
)
from raciflux.config.raci import RaciConfig, RetrievalConfig

NEIGHBOURS = RetrievalConfig(neighbours=3, width=5, neighbour_dropout=0.0)

ALONE = RaciConfig(hidden=8, regime=6, embedding=5, dropout=0.0, retrieval=RetrievalConfig(enabled=False))

# Tiny sizes. Dropout is 0 so that training mode can be held against the rules too; one test switches it on.
CONFIGS: dict[str, Any] = {
    "lstm": LstmConfig(hidden=8, dropout=0.0),
    "ct_lstm": CtLstmConfig(hidden=8, embedding=5, dropout=0.0),
    "ea_lstm": EaLstmConfig(hidden=8, embedding=5, dropout=0.0),
    "tcn": TcnConfig(hidden=8, levels=3, embedding=5, dropout=0.0),
    "transformer": TransformerConfig(hidden=8, heads=2, embedding=5, dropout=0.0),
    "itransformer": ITransformerConfig(hidden=8, heads=2, embedding=5, dropout=0.0),
    "pyraformer": PyraformerConfig(hidden=8, heads=2, embedding=5, dropout=0.0),
    "tam_rl": TamRlConfig(hidden=8, task=6, embedding=5, dropout=0.0),
    "moment_lstm": MomentLstmConfig(hidden=8, embedding=5, dropout=0.0),
    "raci": RaciConfig(hidden=8, regime=6, embedding=5, dropout=0.0, retrieval=NEIGHBOURS),
    "raci, learned keys": RaciConfig(
        hidden=8, regime=6, embedding=5, dropout=0.0, retrieval=replace(NEIGHBOURS, keys="learned", key_width=4)
    ),
    "raci, moments": RaciConfig(hidden=8, regime=6, embedding=5, dropout=0.0, retrieval=NEIGHBOURS, moments=True),
    "raci, no retrieval": ALONE,
    "raci, gru under gates": replace(ALONE, body="gru", conditioning="gates"),
    "raci, tcn under cross-attention": replace(ALONE, body="tcn", conditioning="cross_attention"),
    "raci, attention under a hyper-network": replace(ALONE, body="attention", conditioning="hyper_network"),
    "raci, no scales": replace(ALONE, scales=[]),
}
every_network = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
