"""Stack config in, validated settings or every problem out. It knows the rules, and neither pulumi nor components."""

from .decoding import config_heading, decode
from .models import Settings

__all__ = ["Settings", "config_heading", "decode"]
