"""Settling what cannot be settled together: each by itself, so that one fault is nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quaero.db.contract import Database
from quaero.errors import CorruptDatabase, StorageError
from quaero.queue.backend import Backend, O, W


async def one_by_one(
    db: Database, backend: Backend[W, O], outcomes: Sequence[O]
) -> tuple[list[O], list[O]]:
    """Settle outcomes singly; returns those that are settled, and those to settle another time.

    What meets damage in the database has failed. Raises `CorruptDatabase` where not even that can
    be written.
    """
    settled: list[O] = []
    again: list[O] = []
    for outcome in outcomes:
        try:
            await db.write(backend.settle, [outcome])
        except CorruptDatabase as error:
            await db.write(backend.settle, [backend.failed(outcome, error)])
        except StorageError:
            again.append(outcome)
            continue
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - becomes the job's error
            again.append(backend.failed(outcome, error))
            continue
        settled.append(outcome)
    return settled, again
