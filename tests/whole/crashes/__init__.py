"""Tests of the whole running service: real processes, killed and paused, and an oracle over what they leave."""
