"""What makes networks and servers fail on purpose, for tests. Nothing here knows what is tested."""
