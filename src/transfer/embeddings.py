"""What a network makes of windows before it reads fluxes off them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from torch import Tensor

from ..modules.flux_module import FluxModule


def encoded_days(module: FluxModule) -> AbstractContextManager[list[Tensor]]:
    """Collect, for as long as this lasts, the encoded scored days (window, day, hidden) of each pass."""
    return _collected(module, lambda days: days)


def embeddings_of(module: FluxModule) -> AbstractContextManager[list[Tensor]]:
    """Collect, for as long as this lasts, the embeddings (window, hidden) of each pass: the mean of encoded days."""
    return _collected(module, lambda days: days.mean(1))


@contextmanager
def _collected(module: FluxModule, of_days: Callable[[Tensor], Tensor]) -> Iterator[list[Tensor]]:
    """Yield a list that gets a tensor at each pass, made of the scored days that the head is given."""
    collected: list[Tensor] = []
    head = module.network.get_submodule("head")
    hook = head.register_forward_pre_hook(
        lambda _, given: collected.append(of_days(given[0][:, module.window.warmup :]))
    )
    try:
        yield collected
    finally:
        hook.remove()
