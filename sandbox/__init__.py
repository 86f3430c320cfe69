"""A GKE-with-Istio stand-in on one Linux machine: the real control planes, as processes, in one namespace.

The Pulumi program does not know that it exists. Read it from the outside in: `__main__` (the commands),
`instance` (a running sandbox, seen from outside), `init` (its first process), and then the parts.
"""
