"""The endpoints, one module an area."""
