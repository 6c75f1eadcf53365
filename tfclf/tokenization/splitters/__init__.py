"""Splitters: string[n] -> string[n, (words)], one module a kind."""
