"""`python -m tfclf.server`: a drop-in for tensorflow_model_server."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets from C++

from tfclf.errors import TfclfError
from tfclf.server import flags


def main() -> int:
    """Serves until SIGTERM or Ctrl-C. Returns: the exit code, 0; 2 for what the user can mend."""
    found = flags.parse(sys.argv[1:])
    from tfclf.quiet import quiet_start

    with quiet_start():
        import tensorflow_text  # noqa: F401  (it greets too)
    from tfclf.server import command_line

    try:
        return command_line.run(found)
    except TfclfError as error:
        print(f"Failed to start server. Error: {error}", file=sys.stderr)  # noqa: T201
        return 2


if __name__ == "__main__":
    sys.exit(main())
