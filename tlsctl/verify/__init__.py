"""Checks of a live environment, the way a client sees it: what fails, the one cause, and the fix.

`python -m tlsctl verify` runs them. They only read: the stack's outputs and config, DNS, the gateway's ports 80 and
443, and the cluster where it is reachable. checks.py says what each check is and which failure explains which.
"""
