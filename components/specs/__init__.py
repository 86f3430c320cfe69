"""What the components write: the specs of Kubernetes objects and record sets, as pure functions."""
