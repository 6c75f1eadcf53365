"""Exports of tfclf beside the other engines for a CPU. `make bench-peers` measures them in turns.

The road: material -> loads -> contenders -> engines, each in a process of its own -> turns ->
results -> the table in README.md. Modules that run in the peers' environment (`engine`, `engines`,
`worker`, `contenders`) import no TensorFlow and nothing of tfclf; `engines.export` and
`engines.tf_class` run in the project's environment.
"""
