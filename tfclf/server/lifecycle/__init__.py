"""Which versions answer: models.config and folders are watched, versions loaded, swapped and drained."""
