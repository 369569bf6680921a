# Each target sets up what it needs; the plain commands behind them are in README.md.
PYTHON ?= python3
BIN := .venv/bin
BASE ?= HEAD
NEW ?= workspace
export BASE NEW  # as they are: the shell would run what a name may hold
unexport PYTHONSAFEPATH  # with it, python -m would not find this folder's packages
LOCK = $(BIN)/python -m uv pip compile pyproject.toml --quiet --universal --python-version 3.10 --generate-hashes \
	--no-python-downloads --no-annotate --custom-compile-command 'make lock'

CORES = --numprocesses auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup repro verify compare sweep experiments demo test slow fuzz check bench recipes processors lock

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

setup: .venv/installed  ## make .venv from requirements-dev.lock; nothing to do when it is current

.venv/installed: requirements-dev.lock tools/path.pth tools/dvc
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 10) <= sys.version_info[:2] < (3, 14) else "error: PYTHON: \
	unsupported version (expected 3.10 to 3.13, got %d.%d); fix: make setup PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Installing TensorFlow, DVC and the rest into .venv: about 2 GB, a minute or two"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.lock
	cp tools/path.pth "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	cp tools/dvc $(BIN)
	touch $@

repro: setup  ## run what changed of the pipeline, on what params.yaml names
	$(BIN)/python -m dvc repro
	@echo "Read the report: reports/report.md, or reports/report.html in a browser"

verify: setup  ## check every byte of the outputs: in the workspace, in DVC's cache and in git
	$(BIN)/python -m tools.verify

compare: setup  ## say what is known to differ between two revisions, as in make compare BASE=main
	$(BIN)/python -m tools.compare "$$BASE" "$$NEW"

sweep: setup  ## try three learning rates and two batch sizes, two runs at a time, and rank them
	$(BIN)/python -m dvc repro normalize
	$(BIN)/python -m dvc exp run --queue -S 'train.learning_rate=3e-4,1e-3,3e-3' -S 'train.batch_size=32,128' \
		-S train.validation_fraction=0.1
	$(BIN)/python -m dvc exp run --run-all -j 2
	$(BIN)/python -m tools.sweep

experiments: setup  ## list the runs that started from HEAD, with their test accuracy and the params in which they differ
	$(BIN)/python -m dvc exp show --no-pager --hide-workspace --only-changed --keep 'test.accuracy$$' \
		--drop '(?!Experiment|test.accuracy$$|(dataset|train|evaluate|render)[.])' --drop 'train.(accuracy|loss)$$'

demo: setup  ## run the whole pipeline on the embedded data set, in build/demo
	$(BIN)/python -m tools.demo

test: setup  ## run the tests
	$(BIN)/python -m pytest $(CORES)

slow: setup  ## run the tests that take longer
	$(BIN)/python -m pytest -m slow -rs $(CORES)

fuzz: setup  ## feed damaged bytes of every kind to the readers for long; with atheris in .venv, guided by coverage
	FUZZ_RUNS=$${FUZZ_RUNS:-1000000} FUZZ_SECONDS=$${FUZZ_SECONDS:-300} $(BIN)/python -m pytest -m slow -rs tests/system/fuzz

check: setup  ## lint, check the format and the types
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy

bench: repro  ## time it all beside the plain Keras script
	$(BIN)/python -m benchmarks

recipes: setup  ## train every recipe five times, and make their table
	$(BIN)/python -m benchmarks.recipes

processors: setup  ## compare bytes with fewer of the processor's instructions
	$(BIN)/python -m benchmarks.processors

lock: setup  ## renew the locks from pyproject.toml
	$(LOCK) --upgrade --output-file requirements.lock
	$(LOCK) --upgrade --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	sed -n '/^pillow==/,/[^\\]$$/p' requirements.lock > requirements-pillow.lock  # what download depends on
