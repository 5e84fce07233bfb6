"""Sources: what is collected again and again, how it is checked, run and looked at."""
