"""Which points of a sweep wait for which: of those that share a pretraining, one makes it and the others follow."""

from collections.abc import Sequence

from .plan import Sweep
from .status import DONE, QUEUED, RUNNING, Standing


def leaders(sweep: Sweep, numbers: Sequence[int], stand: Sequence[Standing]) -> dict[int, tuple[int, ...]]:
    """Return the points that others are to wait for, by those others; who waits for nobody is not named.

    What a finished point has made is there. Else a point that runs or is queued makes it, else the first of those that
    are about to start. Nobody waits for a point that is itself about to wait, so that there is no circle.

    Parameters
    ----------
    numbers : points that are about to start.
    stand : how each point of the sweep stands.
    """
    of_points = [set(point.pretrainings) for point in sweep.points]
    at_work = [number for state in (RUNNING, QUEUED) for number, one in enumerate(stand) if one.state == state]
    made = {key for number, one in enumerate(stand) if one.state == DONE for key in of_points[number]}
    makers = {key: number for number in reversed(at_work) for key in of_points[number]}
    waiting = {}
    for number in numbers:
        awaited = {makers[key] for key in of_points[number] - made if key in makers}
        if awaited:
            waiting[number] = tuple(sorted(awaited))
        else:
            makers |= dict.fromkeys(of_points[number], number)
    return waiting
