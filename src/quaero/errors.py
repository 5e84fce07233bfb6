"""Every error Quaero raises on purpose.

    QuaeroError
    ├── BadInput                something given to us is wrong; nothing was written
    │   ├── BadExpression       a condition or template of a workflow
    │   ├── BadDefinition       a workflow: names line, field and remedy of each fault
    │   ├── BadConfig           a setting: names the key, the value and what is allowed
    │   ├── BadKey              the key file of the logins is missing, foreign or unsafe
    │   ├── BadLogin            cookies or tokens that cannot be stored, or not for this site
    │   ├── BadPayload          a job's payload does not fit its type
    │   ├── BadPattern          an include or exclude pattern
    │   └── BadUrl              an address that cannot be fetched
    ├── NotFound                no job, message, document … with that id
    ├── Conflict                the state does not allow it (deleting a running job, say)
    ├── StaleLease              the lease was lost: another worker has the message, or nobody
    ├── StorageError            the database refused
    │   ├── DiskFull            no room; running jobs wait, nothing is lost
    │   ├── CorruptDatabase     the file is damaged and was set aside or must be
    │   └── NewerDatabase       written by a later version of Quaero
    └── JobError                how an executor says what its failure means
        ├── Permanent           will not get better: never retried
        │   ├── Refused         not allowed: network policy, robots.txt, scope
        │   └── HttpStatus      the site answered with a status that will stay
        ├── RetryLater          try again, after the given time if there is one
        │   └── BadAnswer       a model's answer cannot be used: empty, cut, refused, garbage
        ├── HelperDied          a helper process ended before it answered
        └── TaskFailed          a helper's task raised an error of another kind

A message says what happened, with the value, and what to do. `exit_code` is the command line's,
`status` and `slug` are the HTTP interface's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class QuaeroError(Exception):
    """Something failed in a way that Quaero knows."""

    exit_code = 1
    status = 500
    slug = "error"


class BadInput(QuaeroError, ValueError):
    """What was given is wrong; nothing was written."""

    exit_code = 2
    status = 400
    slug = "bad-input"


class BadConfig(BadInput):
    """A setting is unknown or has a value that is not allowed."""

    slug = "bad-config"


class BadExpression(BadInput):
    """An expression cannot be read, or not worked out with the values there are.

    `missing` tells that a path led to nothing.
    """

    status = 422
    slug = "bad-expression"

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class BadKey(BadInput):
    """The key file of the logins cannot be used, so none of them can be read or stored."""

    status = 503
    slug = "bad-key"


class BadLogin(BadInput):
    """A login cannot be stored as it was given; `fields` says why, by JSON pointer (RFC 6901).

    No value that was given is repeated.
    """

    status = 422
    slug = "bad-login"

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.fields = [{"pointer": pointer, "detail": message}]


class BadDefinition(BadInput):
    """A workflow cannot be run as it is written.

    `fields` says what is wrong with each field: its line, name, JSON pointer, and what to do.
    """

    status = 422
    slug = "bad-definition"

    def __init__(self, message: str, fields: Sequence[Mapping[str, str | int | None]] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class BadPayload(BadInput):
    """The payload does not fit the job type.

    `fields` says what is wrong with each, by its JSON pointer (RFC 6901) in the payload.
    """

    status = 422
    slug = "bad-payload"

    def __init__(self, message: str, fields: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class BadPattern(BadInput):
    """An include or exclude pattern cannot be used."""

    slug = "bad-pattern"


class BadUrl(BadInput):
    """The address is not one that can be fetched."""

    slug = "bad-url"


class NotFound(QuaeroError, LookupError):
    """There is nothing with that id."""

    exit_code = 3
    status = 404
    slug = "not-found"


class Conflict(QuaeroError):
    """The present state does not allow this.

    `count` is how many there are now, where fewer were expected; with `capped` at least so many.
    """

    exit_code = 4
    status = 409
    slug = "conflict"

    def __init__(self, message: str, *, count: int | None = None, capped: bool = False) -> None:
        super().__init__(message)
        self.count = count
        self.capped = capped


class StaleLease(QuaeroError):
    """The lease was lost, so nothing was written."""

    exit_code = 4
    status = 409
    slug = "stale-lease"


class StorageError(QuaeroError):
    """The database could not do it."""

    exit_code = 5
    status = 503
    slug = "storage"


class DiskFull(StorageError):
    """There is no room left where the database lies."""

    status = 507
    slug = "disk-full"


class CorruptDatabase(StorageError):
    """The database file is damaged."""

    slug = "corrupt-database"


class NewerDatabase(StorageError):
    """The database was written by a later version of Quaero."""

    slug = "newer-database"


class JobError(QuaeroError):
    """A failure of a job's run, raised by its executor."""

    slug = "job-failed"


class Permanent(JobError):
    """Trying again would not help, so it is not tried again."""

    slug = "permanent"


class Refused(Permanent):
    """Not allowed: by the network policy, robots.txt or the crawl's scope.

    `reason` is the short word by which refusals are counted.
    """

    status = 403
    slug = "refused"

    def __init__(self, message: str, reason: str = "policy") -> None:
        super().__init__(message)
        self.reason = reason


class HttpStatus(Permanent):
    """The site answered with a status that trying again would not change; `code` is that status."""

    status = 502
    slug = "http-status"

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class RetryLater(JobError):
    """Worth another attempt; `after` seconds from now if the other side named a time.

    With `hold` the whole lane waits that long, not only this message.
    """

    slug = "retry-later"

    def __init__(self, message: str, after: float | None = None, *, hold: bool = False) -> None:
        super().__init__(message)
        self.after = after
        self.hold = hold


class BadAnswer(RetryLater):
    """What a model answered cannot be used, so it is asked again and nothing is made up."""

    status = 502
    slug = "bad-answer"


class HelperDied(JobError):
    """A helper process ended, or was ended, before it answered; the message says why."""

    slug = "helper-died"


class TaskFailed(JobError):
    """A helper's task raised an error which is not one of Quaero's own.

    `name` is its class (`ValueError`, `package.module.Error`), `reason` its message; the end of
    its trace is a note of this error.
    """

    slug = "task-failed"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}" if reason else name)
        self.name = name
        self.reason = reason
