"""Operators that training spends its time in; imports nothing of mgbench."""
