"""From stack config to the args of each component: the one place where the names of both meet."""

from composition.args import Composition
from composition.loading import load

__all__ = ["Composition", "load"]
