"""One module per engine; see `bench.peers.engine` for what it defines."""
