"""`python -m tlsctl adopt`: turns what was set up by hand into a stack; decisions.py and what it uses are pure."""
