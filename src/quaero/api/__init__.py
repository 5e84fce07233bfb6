"""The HTTP interface: JSON for programs, a live socket, and the pages people look at."""
