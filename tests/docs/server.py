"""Run a server of a page as `python` would with these arguments, but without warm-up."""

import sys

from tests import forks
from tests.no_warm_up import skip_warm_up_of_exports

if __name__ == "__main__":
    skip_warm_up_of_exports()
    sys.exit(forks.run(sys.argv[1:]))
