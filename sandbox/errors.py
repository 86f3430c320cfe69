"""The error of the sandbox for its users."""


class SandboxError(Exception):
    """A failure that a user can act on: printed without a traceback, with exit code 1."""
