"""Speed against named peers. `make bench` runs it; figures land in bench/results and in README.md."""
