"""What each identity may do inside of a cluster: Kubernetes' own roles, and the proof that they fit what it does."""
