"""`python -m tlsctl adopt`: turns what was set up by hand into a stack: its config, and a file for `pulumi import`.

It only reads: the cluster, the managed zone, and what a preview of the program would create. The decisions are pure
functions, in decisions.py and the modules that it uses.
"""
