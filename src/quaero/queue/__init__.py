"""A durable queue inside a database; `Queue` is the way in, `consumer` runs handlers over it."""

from quaero.queue.message import Delivery, Lane, NewMessage, State, Token
from quaero.queue.queue import DeadLetter, Queue
from quaero.queue.stats import QueueStats

__all__ = ["DeadLetter", "Delivery", "Lane", "NewMessage", "Queue", "QueueStats", "State", "Token"]
