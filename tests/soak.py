"""How much the campaigns of random histories and crashes do: a little in the suite, much in a soak.

`QUAERO_SOAK_EXAMPLES`, 20,000 under `dev.py soak`, repeats a campaign that many times 1/500, each
time with another seed and a new database: 50 cycles of the suite are 2,000 then.
"""

import os

EXAMPLES = int(os.environ.get("QUAERO_SOAK_EXAMPLES", "300"))
FACTOR = max(1.0, int(os.environ.get("QUAERO_SOAK_EXAMPLES", "0")) / 500)


def campaigns(count: int = 1) -> range:
    """The seeds of as many campaigns as are to be done, where the suite does `count`."""
    return range(int(count * FACTOR))
