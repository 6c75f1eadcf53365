"""Splitters: string[n] -> string[n, (words)], one module for each kind."""
