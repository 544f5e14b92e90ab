"""Functional neighbours in a learned projection of the descriptors, searched anew as it learns."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

Found = tuple[Tensor, Tensor]  # neighbours of each site and their distances
Search = Callable[[Tensor], Found]  # by a projection (key, descriptor)
SITES_A_STEP = 100  # so many search in less than a fiftieth of a training step's time (benchmarks/speed/README.md)


class LearnedKeys(nn.Module):
    """A projection of descriptors; places near in it are functional neighbours.

    In training the neighbours are those found with the projection of the last multiple of ``every`` steps,
    which the state dict holds beside the number of steps: a resumed run sees the neighbours of the uninterrupted one.
    In evaluation they are those of the projection as it is.

    Parameters
    ----------
    features : width of the descriptors.
    width : width of a key.
    refresh_every : training steps from one search to the next; more where so many sites search that it would weigh on
        training.
    """

    searched: Tensor  # (key, descriptor) projection of the last search in training
    steps: Tensor  # () training steps so far

    def __init__(self, features: int, width: int, refresh_every: int) -> None:
        super().__init__()
        self.refresh_every, self._sites = refresh_every, 0
        self.projection = nn.Linear(features, width, bias=False)
        nn.init.normal_(self.projection.weight, std=features**-0.5)  # keeps root mean square distances, on average
        self.register_buffer("searched", self.projection.weight.detach().clone())
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.searches, self.seconds = 0, 0.0
        self.forget()
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]

    def serve(self, sites: int) -> None:
        """Search for so many sites from now on."""
        self._sites = sites
        self.forget()

    @property
    def every(self) -> int:
        """Training steps from one search to the next."""
        return max(self.refresh_every, self._sites // SITES_A_STEP)

    def forget(self) -> None:
        """Let what was found go: another bank, another cube, or other weights."""
        self._step: int | None = None  # ``steps`` where no device has to be asked
        self._renewed = 0  # times that ``searched`` has changed since
        self._found: dict[bool, tuple[tuple[int, torch.device], Found]] = {}

    def distance(self, gap: Tensor) -> Tensor:
        """Root mean square difference (...) in the projection, of differences of descriptors (..., descriptor)."""
        squared: Tensor = self.projection(gap).square().mean(-1)
        return (squared + 1e-6).sqrt()  # its slope is finite where two places are alike

    def advance(self) -> None:
        """Count a training step; at every ``every``-th, let the coming steps search with the present keys."""
        if self._step is None:
            self._step = int(self.steps)
        if self._step % self.every == 0:
            self.searched.copy_(self.projection.weight.detach())
            self._renewed += 1
        self._step += 1
        self.steps += 1

    def found(self, search: Search) -> Found:
        """Return what ``search`` finds with the projection that counts now, searching only if it has changed."""
        projection = self.searched if self.training else self.projection.weight.detach()
        # not the version of ``searched``: training on several devices writes every buffer anew, unchanged, each step
        version = self._renewed if self.training else projection._version
        state = (version, projection.device)
        if self.training not in self._found or self._found[self.training][0] != state:
            started = time.perf_counter()
            # what is found under inference mode must serve where gradients are asked, too
            with torch.inference_mode(False), torch.no_grad():
                self._found[self.training] = (state, search(projection))
            self.searches += 1
            self.seconds += time.perf_counter() - started
        return self._found[self.training][1]


def _forget(keys: nn.Module, _: object) -> None:
    assert isinstance(keys, LearnedKeys)
    keys.forget()
