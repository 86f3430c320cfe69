"""The Kubernetes roles of each identity, and their comparison with what it does."""
