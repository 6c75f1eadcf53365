"""Models: words, or whole texts, to token ids; one module for each algorithm."""
