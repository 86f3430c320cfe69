"""Figures, each from a command, beside its floor."""
