"""What the workflows stand on, made once per repository: state, a key for secrets, identities."""
