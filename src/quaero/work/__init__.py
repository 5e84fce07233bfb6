"""Running jobs: executors and their registry, the pool, its middleware, and what guards it."""
