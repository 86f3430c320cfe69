"""A GKE-with-Istio stand-in on one Linux machine: the real control planes, as processes, in one namespace.

What is deployed to it does not know that it exists. README.md says what runs and why, and names the modules from the
outside in.
"""
