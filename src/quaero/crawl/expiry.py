"""When a login ends, in words, for whoever still has time to renew it."""

from __future__ import annotations

from quaero.clock import DAY, MINUTE

SOON = DAY


def expiry_warning(expires_at: int | None, now: int) -> str | None:
    """What to say of a login that has expired or will within a day; None for any other.

    Times are wall times in microseconds. The words go on from the name of the login.
    """
    if expires_at is None or expires_at > now + SOON:
        return None
    if expires_at <= now:
        return "has expired: log in again with your browser and store the new login"
    minutes = -(-(expires_at - now) // MINUTE)
    left = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
    return f"expires within {left}; store a new one soon"
