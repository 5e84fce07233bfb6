"""Workflows: definitions of steps, and their durable runs as trees of jobs."""
