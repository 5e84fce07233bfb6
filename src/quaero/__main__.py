"""`python -m quaero` is the command `quaero`."""

from quaero.cli import main

main()
