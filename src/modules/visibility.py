"""Questions put in training: which of a window's own fluxes are shown, and which of the others count.

Each window is asked one question, drawn anew at each step: an unseen site shows nothing, a few days are shown of
another, the past of a third, and of a fourth all but a gap and the day on either side of it. In all of them the flux
of a day that counts is not shown (docs/architecture.md, rule 1).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..contracts import Batch

FEW = (7, 365)  # days shown of a site of which little is known
GAP = (1, 120)  # days
BORDER = 1  # day on either side of a gap that is not shown


def pose(batch: Batch, questions: Sequence[str], warmup: int) -> Batch:
    """Return the batch with ``own``, ``own_mask`` and ``target_mask`` as a drawn question of each window has them.

    Draws from torch's own generator, which every training step seeds. A window in which a question would leave no day
    to count is asked as an unseen site.
    """
    size, days = batch["target_mask"].shape[:2]
    scored, device = days - warmup, batch["target_mask"].device
    day = torch.arange(days, device=device)[None] - warmup
    asked = torch.randint(len(questions), (size,), device=device)
    few, gap = (_log_uniform(size, low, min(high, 2 * scored // 3), device) for low, high in (FEW, GAP))
    place = torch.rand(size, device=device)  # of what is drawn, between the first and the last it can have

    def run(length: Tensor, border: int = 0) -> Tensor:
        """Days (batch, day) of a run of ``length`` days (batch,), and ``border`` days on either side."""
        first = (place * (scored - length + 1)).floor()[:, None]
        return (day >= first - border) & (day < first + length[:, None] + border)

    past = day < (place * scored).floor()[:, None]
    nothing = torch.zeros_like(past)
    # which days a question shows, and which of the rest it asks about
    shows = {"unseen": nothing, "few_shot": run(few), "new_years": past, "gap": ~run(gap, BORDER)}
    asks = {"unseen": ~nothing, "few_shot": ~nothing, "new_years": ~nothing, "gap": run(gap)}
    row = torch.arange(size, device=device)
    shown = torch.stack([shows[name] for name in questions])[asked, row] & (day >= 0)
    counted = torch.stack([asks[name] for name in questions])[asked, row] & ~shown

    known = batch["target_mask"]
    empty = ~(known & counted[..., None]).any((1, 2))
    shown, counted = shown & ~empty[:, None], counted | empty[:, None]
    own_mask = known & shown[..., None]
    return {
        **batch,
        "target_mask": known & counted[..., None],
        "own": batch["target"] * own_mask,
        "own_mask": own_mask,
    }


def _log_uniform(size: int, low: int, high: int, device: torch.device) -> Tensor:
    """Draw whole numbers (size,) whose logarithm is uniform."""
    bounds = torch.tensor([low, max(low, high) + 1.0], device=device).log()
    drawn = torch.lerp(bounds[0], bounds[1], torch.rand(size, device=device))
    return drawn.exp().floor().clamp(max=max(low, high))
