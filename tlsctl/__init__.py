"""What an operator runs by hand against one stack."""
