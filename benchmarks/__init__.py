"""What is measured, against which floors, and how: `python -m benchmarks --help`, and docs/benchmarks.md.

No part of the product. Every value and its floor are taken in turns, in one run, because machines differ and are noisy.
"""
