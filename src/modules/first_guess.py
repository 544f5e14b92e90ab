"""Trees that answer beside the network.

Over a hundred-odd towers trees and networks err differently, and the mean of the two errs less than either. The network
never reads the guess: given it as an input, it learns the training sites by heart the sooner.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..contracts import Batch


class FirstGuess(nn.Module):
    """Moves an answer towards what trees say of the same days; nowhere before ``attach``, as in pretraining.

    Parameters
    ----------
    weight : share of the trees in the answer.
    """

    flux: Tensor  # (site, day, target), scaled; NaN where there is no guess

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("flux", torch.empty(0), persistent=False)

    def attach(self, flux: NDArray[np.float32]) -> None:
        """Hold the guesses (site, day, target) at the cube that will be asked."""
        self.flux = torch.from_numpy(flux).to(self.flux.device)

    @property
    def told(self) -> bool:
        """Whether there are guesses at all."""
        return self.flux.numel() > 0

    @contextmanager
    def saying(self, flux: NDArray[np.float32]) -> Iterator[None]:
        """Answer with other guesses, none where there are no numbers, for as long as this lasts."""
        kept = self.flux
        self.attach(flux)
        try:
            yield
        finally:
            self.flux = kept

    def unknown(self) -> AbstractContextManager[None]:
        """Answer as if there were no guess."""
        return self.saying(np.empty(0, np.float32))

    def forward(self, said: Tensor, batch: Batch) -> Tensor:
        """Return by how much an answer (batch, day, target), scaled, moves: 0 where there is no guess."""
        if not self.told:
            return torch.zeros_like(said)
        day = batch["day"][:, None] + torch.arange(said.shape[1], device=said.device)
        within = (day >= 0) & (day < self.flux.shape[1])
        guess = self.flux[batch["site"][:, None], day.clamp(0, self.flux.shape[1] - 1)]
        known = within[..., None] & torch.isfinite(guess)
        return torch.where(known, self.weight * (torch.nan_to_num(guess) - said), torch.zeros_like(said))
