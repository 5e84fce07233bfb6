"""How much the campaigns of random histories and crashes do: a little in the suite, much in a soak.

`QUAERO_SOAK_EXAMPLES`, 20,000 under `dev.py soak`, makes a campaign that many times 1/500 as long:
50 cycles of the suite are 2,000 then.
"""

import os

FACTOR = max(1.0, int(os.environ.get("QUAERO_SOAK_EXAMPLES", "0")) / 500)


def times(count: int) -> int:
    """How many rounds to do where the suite does `count`."""
    return int(count * FACTOR)
