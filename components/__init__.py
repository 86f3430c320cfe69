"""The parts of the program: one ComponentResource per file, its args beside it, specs from pure functions."""
