"""Workers simulated by seed over one database: limits and intervals hold, nothing is done twice.

A seed that failed is kept in `REMEMBERED`.
"""

import pytest

from quaero.jobs.check import faults as job_faults
from quaero.queue.check import faults as queue_faults

from ..opening import Opened  # noqa: TID252
from ..soak import campaigns  # noqa: TID252
from .simulation import Simulation

SEEDS = 50
STEPS = 60
REMEMBERED = ()


@pytest.mark.parametrize("campaign", campaigns(8))
def test_whatever_workers_do_everything_ends_once_and_within_the_limits(campaign):
    with Opened() as opened:
        opened.write(lambda tx: tx.execute("create table effect(job_id integer)"))
        for seed in (*REMEMBERED, *range(campaign * SEEDS, (campaign + 1) * SEEDS)):
            play(opened, seed)


def play(opened, seed):
    try:
        simulation = Simulation(opened, seed)
        for _ in range(STEPS):
            simulation.step()
            simulation.check()
        simulation.finish()
        assert opened.read(job_faults) == []
        assert opened.read(queue_faults) == []
    except BaseException as error:
        error.add_note(f"in the simulation of seed {seed}")
        raise
