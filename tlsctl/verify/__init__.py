"""`python -m tlsctl verify`: checks a live environment as a client sees it, and names each problem with its fix.

It only reads: the stack's outputs and config, DNS, the gateway's ports 80 and 443, and the cluster where it is
reachable. checks.py lists the checks, and which failure explains which.
"""
