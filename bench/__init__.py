"""Speed against named peers. `make bench` writes the figures to bench/results and README.md."""
