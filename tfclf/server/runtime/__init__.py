"""A loaded version: its TensorFlow session, and how requests share its runs."""
