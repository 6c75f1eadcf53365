"""Normalizers: string[n] -> string[n], one module for each kind."""
