"""One module per measured value: how the running service is loaded, and against which floor it is held."""
