"""What a network makes of windows before it reads fluxes off them."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from ..modules.flux_module import FluxModule


@contextmanager
def embeddings_of(module: FluxModule) -> Iterator[list[Tensor]]:
    """Collect, for as long as this lasts, the embedding of each window that the network reads.

    Yields
    ------
    A list that gets one tensor (window, hidden) at each pass: the mean over scored days of what the head is given.
    """
    embedded: list[Tensor] = []
    head = module.network.get_submodule("head")
    hook = head.register_forward_pre_hook(lambda _, given: embedded.append(given[0][:, module.window.warmup :].mean(1)))
    try:
        yield embedded
    finally:
        hook.remove()
