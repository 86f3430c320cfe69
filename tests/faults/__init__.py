"""What goes wrong, made to go wrong on purpose in a sandbox: parts are killed at random, and named faults are staged.

`make faults` starts two sandboxes and plays in both, side by side.
"""
