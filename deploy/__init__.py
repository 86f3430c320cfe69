"""Deployment by workflows: the state and identities they need (`bootstrap`), and their steps (`ci`)."""
