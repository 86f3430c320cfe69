"""How people start `tlsctl`: in a clone, or in the environment of a program of their own."""

INSTALLED = __package__ != "config"
"""Whether this is the wheel's module, and not a clone's."""

TLSCTL = "uv run tlsctl" if INSTALLED else "uv run python -m tlsctl"
EXTRA = "uv add 'istio-gateway-tls[{}]'" if INSTALLED else "uv sync --group {}"
