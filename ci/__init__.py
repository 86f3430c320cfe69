"""What the workflows run that takes more than one command: a preview and its comment, drift and its issue."""
