"""State, keys for secrets and identities for the workflows, set up once per repository."""
