"""Benchmarks of minisam: ``python -m benchmarks``."""
