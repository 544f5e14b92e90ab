"""How fast, side by side in one run: ``python scripts/benchmark.py``; results in README.md."""
