"""`python -m tfclf.server`: a drop-in for tensorflow_model_server."""

import os
import signal
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets from C++

from tfclf.errors import TfclfError
from tfclf.server import flags


def main() -> int:
    """Serves until SIGTERM or Ctrl-C.

    Returns: the exit code: 0; 2 for what the user can mend. A signal that comes before the server answers, or while
    it drains, ends the process with 128 and the signal's number.
    """
    found = flags.parse(sys.argv[1:])
    if found.version:
        print(flags.versions())  # noqa: T201
        return 0
    received: list[int] = []

    def end(number: int, _frame: Any) -> None:
        received.append(number)
        raise KeyboardInterrupt

    for number in (
        signal.SIGTERM,
        signal.SIGINT,
    ):  # a container's first process has no default for SIGTERM
        signal.signal(number, end)
    try:
        from tfclf._tensorflow import quiet_start

        with quiet_start():
            import tensorflow_text  # noqa: F401  (it greets too)
        from tfclf.server import command_line

        return command_line.run(found)
    except BaseException as error:
        if (
            received
        ):  # whatever became of the interrupt: an import, say, makes an error of its own of it
            name = signal.Signals(received[0]).name
            print(f"Ended by {name} while no requests were taken.", file=sys.stderr, flush=True)  # noqa: T201
            os._exit(
                128 + received[0]
            )  # TensorFlow's threads may be at work, and would be waited for
        if not isinstance(error, TfclfError):
            raise
        print(f"Failed to start server. Error: {error}", file=sys.stderr)  # noqa: T201
        return 2


if __name__ == "__main__":
    sys.exit(main())
