"""What is measured, against which floors, and how: `python -m benchmarks --help`."""
