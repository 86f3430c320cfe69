"""`python -m tlsctl verify`: checks a live environment as a client sees it; checks.py lists the checks."""
