"""The lifecycle of versions: config and folders watched; versions loaded, swapped, drained."""
