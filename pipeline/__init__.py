"""What takes more than one command: a preview and its comment, drift and its issue, the way back from a killed `up`."""
