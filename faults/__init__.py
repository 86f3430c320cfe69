"""What goes wrong, made to go wrong on purpose in a sandbox: parts are killed at random, and named faults are staged.

`python -m faults` runs inside a sandbox of its own; `make faults` starts one for it.
"""
