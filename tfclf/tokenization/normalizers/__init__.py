"""Normalizers: string[n] -> string[n], one module a kind."""
