"""What the workflows do beyond one command: a preview with its comment, the look for drift with its issue."""
