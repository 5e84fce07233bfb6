"""Jobs: records in trees over the queue, one state machine, exact counts, logs and a feed."""

from quaero.jobs.model import FailureAction, JobSpec, Phase, Status

__all__ = ["FailureAction", "JobSpec", "Phase", "Status"]
