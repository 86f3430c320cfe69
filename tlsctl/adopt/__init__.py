"""What was set up by hand becomes a stack: its config, and the file that `pulumi import` takes.

`python -m tlsctl adopt` runs it. It only reads: the cluster, the managed zone, and what a preview of the program would
create. What is decided from that is pure, in decisions.py and the files that it names.
"""
