"""Stack configs that try to break what reads them, and what must hold of each.

They are made from the settings' own models, so that a new key is attacked on the day it is added.
"""
