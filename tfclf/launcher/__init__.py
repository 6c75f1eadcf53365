"""The real TF Serving, started on an export: its flags, its container, its process.

    process     starts it, waits until it answers, passes signals on, relays its exit code
    launch      the command: the program that is installed, or a container
    flags       TF Serving's flags for an export, and the files that they name
    settings    what a user may choose; what is to be started

Neither imports TensorFlow: the other process does the work.
"""

from tfclf.launcher.launch import launch_of_docker, launch_of_program
from tfclf.launcher.process import run
from tfclf.launcher.settings import Launch, Settings

__all__ = ["Launch", "Settings", "launch_of_docker", "launch_of_program", "run"]
