"""Tokenizers as data, compiled to TensorFlow ops: string[batch] -> int32[batch, (tokens)]."""
