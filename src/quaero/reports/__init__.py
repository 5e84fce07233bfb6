"""Read models for people: lists and figures, each at a cost that does not grow with the tables."""
