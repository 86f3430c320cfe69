"""`python -m verify`: is a live environment right, the way a client sees it, and if not, what is the one cause?

It only reads: the stack's outputs and config, DNS, the gateway's ports 80 and 443, and the cluster where it is
reachable. checks.py says what is looked at, and which failure explains which.
"""
