"""How long a message waits before its next attempt.

>>> from random import Random
>>> [round(backoff(n, Random(1), jitter=0) / 1e6) for n in (1, 2, 3, 4, 20)]
[1, 2, 4, 8, 600]
"""

from __future__ import annotations

from random import Random

from quaero.clock import MINUTE, SECOND

FIRST = SECOND
LONGEST = 10 * MINUTE
JITTER = 0.25
LONGEST_DELAY = 1e9
"""No caller may ask for a wait of this many seconds: it is a mistake, and soon no number."""


def backoff(receives: int, random: Random, *, jitter: float = JITTER) -> int:
    """Microseconds after the `receives`-th failed attempt: doubling, capped, and spread.

    `jitter` is the share by which the time may be shorter or longer, so that what failed together
    does not come back together.
    """
    wait = min(LONGEST, FIRST << min(receives - 1, 20)) if receives > 0 else FIRST
    return int(wait * random.uniform(1 - jitter, 1 + jitter))
