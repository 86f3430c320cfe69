"""The one error that a user of the sandbox is meant to see."""


class SandboxError(Exception):
    """Something a user can act on: printed as it is, without a traceback, with exit code 1."""
