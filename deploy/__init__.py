"""What the workflows stand on (`bootstrap`) and what they call (`ci`)."""
