"""`python -m tfclf.server`: a drop-in for tensorflow_model_server."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow's C++ code reads it

from tfclf.errors import TfclfError
from tfclf.server import flags, logs


def main() -> int:
    """Serve until SIGTERM or Ctrl-C.

    Returns: the exit code: 0, or 2 for an error that the user can fix. A signal that comes before
      the server answers, or while it drains, ends the process with 128 plus the signal's number.
    """
    parsed = flags.parse(sys.argv[1:])
    if parsed.version:
        print(flags.versions())  # noqa: T201
        return 0
    if parsed.log_format == "json":
        logs.configure(level=parsed.log_level, format="json")
        logs.cover_process()
    received: list[int] = []

    def end(number: int, _frame: Any) -> None:
        received.append(number)
        raise KeyboardInterrupt

    # A container's first process has no default action for SIGTERM.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        from tfclf._tensorflow import count_cores, quiet_start
        from tfclf.saved_model.frozen_weights import assume_if_safe
        from tfclf.saved_model.threads import give_each_part_a_core
        from tfclf.server.lifecycle.model_config import list_base_paths

        base_paths = list_base_paths(_models(parsed))
        assume_if_safe(base_paths, many_signatures=True)
        give_each_part_a_core(base_paths, cores=count_cores())
        with quiet_start():
            import tensorflow_text  # noqa: F401  (its import prints to stderr too)
        from tfclf.server import command_line

        return command_line.run(parsed)
    except BaseException as error:
        # Not only KeyboardInterrupt: an import that is interrupted raises an error of its own.
        if received:
            name = signal.Signals(received[0]).name
            _say(parsed, f"Ended by {name} while no requests were taken.")
            # TensorFlow's threads may be busy, and sys.exit would wait for them.
            os._exit(128 + received[0])
        if not isinstance(error, TfclfError):
            raise
        _say(parsed, f"Failed to start server. Error: {error}")
        return 2


def _models(parsed: argparse.Namespace) -> Path:
    """Return the path of the models: a models.config, or the base path of one model."""
    if parsed.model_config_file:
        return Path(parsed.model_config_file)
    return Path(os.path.expanduser(parsed.model_base_path))  # noqa: PTH111 (an unknown ~user stays)


def _say(parsed: argparse.Namespace, words: str) -> None:
    """Write the last words to stderr, in the form of the log if that is JSON."""
    if parsed.log_format == "json":
        logs.configure(level=parsed.log_level, format="json")
        logs.announce(words, level=logging.ERROR)
    else:
        print(words, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
