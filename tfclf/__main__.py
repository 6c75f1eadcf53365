"""`python -m tfclf` is `tfclf`."""

from tfclf.cli import main

main()
