"""For tests, benchmarks and the demo, of Quaero and of whoever builds on it."""
