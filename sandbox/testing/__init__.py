"""A library for tests against a sandbox: a stack, the engine, a client, and an ACME server that can be made to fail."""
