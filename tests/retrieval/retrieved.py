"""Retrieval over the made-up sites, its weights so that everything matters."""

import torch
from raciflux.config.raci import RetrievalConfig
from raciflux.retrieval.bank import Bank
from raciflux.retrieval.role_aware import RoleAwareRetrieval

CONFIG = RetrievalConfig(neighbours=3, width=6)


def retrieval(view, config=CONFIG):
    torch.manual_seed(0)
    network = RoleAwareRetrieval(config, view.layout)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    return network.eval()


def attached(view, config=CONFIG, known_from=None):
    network = retrieval(view, config)
    bank = Bank.build(known_from or view, 50.0)
    network.attach(bank, bank.look_up(view, config, same_cube=True))
    return network


def batch(*sites):
    return {"site": torch.tensor(sites)}


def days_of(view, *sites, days=40):
    """The first days of some sites, as a window of a batch."""
    window = {"fast": view.fast[list(sites), :days], "fast_mask": view.fast_mask[list(sites), :days]}
    return batch(*sites) | {name: torch.tensor(each, dtype=torch.float32) for name, each in window.items()}


def context(network, window):
    """The context of a window's sites; it needs none of their days."""
    return torch.cat([pool.look(window["site"])[1] for pool in network.roles.values()], dim=1)


def daily(network, window):
    """What the neighbours' response functions say of each day of a window."""
    return network(window)[1]
