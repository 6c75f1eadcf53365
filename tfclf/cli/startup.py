"""The start of TensorFlow, for every command that needs it."""

import importlib

from tfclf._tensorflow import quiet_start


def start_tensorflow(*packages: str) -> None:
    """Import TensorFlow, and packages that greet as it does, without their greetings.

    Call it before the first import of a module that imports TensorFlow. What is printed later,
    such as a warning of ours, reaches the user. Errors while importing are shown in full.
    """
    with quiet_start():
        for package in packages:
            importlib.import_module(package)
