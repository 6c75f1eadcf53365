"""The real TF Serving, started on an export: its flags, its container, its process.

    process     start it, wait until it answers, forward signals, relay its exit code
    launch      the command: the installed program, or a container
    flags       TF Serving's flags for an export, and the files that they name
    settings    the user's choices, and the command to run

No module imports TensorFlow: the other process does the work.
"""

from tfclf.launcher.launch import launch_of_docker, launch_of_program
from tfclf.launcher.process import run
from tfclf.launcher.settings import Launch, Settings

__all__ = ["Launch", "Settings", "launch_of_docker", "launch_of_program", "run"]
