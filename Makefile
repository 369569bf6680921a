# Each target installs the packages it needs. README.md and docs/ have the commands behind the targets.
PYTHON ?= python3
BIN := .venv/bin
BASE ?= HEAD
NEW ?= workspace
NAME =  # not that of the environment: under WSL, it is the name of the machine
export BASE NEW NAME  # as variables: the shell would run commands inside a name
unexport PYTHONSAFEPATH  # it hides this folder's packages from python -m
# Where Python may not write bytecode, each process would compile its imports, and TensorFlow start in twice the time.
COMPILE = $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)
CORES = --numprocesses auto --dist loadfile

.DEFAULT_GOAL := help
.NOTPARALLEL:  # each target uses both cores by itself
.PHONY: help setup repro verify audit compare serve sweep experiments demo test slow fuzz check bench recipe recipes processors lock

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

setup: .venv/installed  ## install everything into .venv; afterwards only downloads of data need a network

.venv/uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 10) <= sys.version_info[:2] < (3, 14) else "error: PYTHON: \
	unsupported version (expected 3.10 to 3.13, got %d.%d); fix: make setup PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --require-hashes --requirement $<
	@touch $@

# runtime: the packages that run the pipeline, 2.5 GB. installed: these and the packages for development, 3.6 GB.
.venv/runtime: requirements.lock .venv/uv tools/path.pth tools/dvc
	$(INSTALL)

.venv/installed: requirements-dev.lock .venv/uv tools/path.pth tools/dvc
	$(INSTALL)
	@touch .venv/runtime

define INSTALL
	@echo "Installing $< into .venv: up to 4 GB"
	$(BIN)/python -m uv pip install --python $(BIN)/python $(COMPILE) --require-hashes --requirement $<
	@cp tools/path.pth "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	@cp tools/dvc $(BIN)
	@touch $@
endef

demo: .venv/runtime  ## run the whole pipeline on the embedded data set, in build/demo, without a network
	$(BIN)/python -m tools.demo

repro: .venv/runtime  ## run the stages whose inputs changed
	$(BIN)/python -m dvc repro
	@echo "Read the report: reports/report.md, or reports/report.html in a browser"

verify: .venv/runtime  ## check every byte of the outputs in the workspace, in DVC's cache and in git
	$(BIN)/python -m tools.verify

audit: .venv/installed  ## find labels of the data set that are likely wrong
	$(BIN)/python -m tools.audit

compare: .venv/runtime  ## compare two revisions, for example make compare BASE=main
	$(BIN)/python -m tools.compare "$$BASE" "$$NEW"

serve: .venv/installed  ## open a page on this machine to draw or choose a picture and see what the networks predict
	$(BIN)/python -m tools.serve

sweep: .venv/runtime  ## try three learning rates and two batch sizes, two runs at a time, and rank them
	$(BIN)/python -m tools.kept
	$(BIN)/python -m dvc repro normalize
	$(BIN)/python -m dvc exp run --queue -S 'train.learning_rate=3e-4,1e-3,3e-3' -S 'train.batch_size=32,128' \
		-S train.validation_fraction=0.1
	$(BIN)/python -m dvc exp run --run-all -j 2
	$(BIN)/python -m tools.sweep

experiments: .venv/runtime  ## list the experiments that started at HEAD, with their test accuracy and changed params
	$(BIN)/python -m dvc exp show --no-pager --hide-workspace --only-changed --keep 'test.accuracy$$' \
		--drop '(?!Experiment|test.accuracy$$|(dataset|train|evaluate|render)[.])' --drop 'train.(accuracy|loss)$$'

test: .venv/installed  ## run the quick tests
	$(BIN)/python -m pytest $(CORES)

slow: .venv/installed  ## run the slow tests
	$(BIN)/python -m pytest -m slow -rs $(CORES)

fuzz: .venv/installed  ## feed damaged bytes to the readers of archives and pictures, five minutes each
	FUZZ_RUNS=$${FUZZ_RUNS:-1000000} FUZZ_SECONDS=$${FUZZ_SECONDS:-300} $(BIN)/python -m pytest -m slow -rs tests/system/fuzz

check: .venv/installed  ## check style, format, types, the workflow of CI and CITATION.cff
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy
	$(BIN)/python -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/python -m check_jsonschema --builtin-schema vendor.citation-file-format --default-filetype yaml CITATION.cff

bench: .venv/runtime  ## compare the speed with a plain Keras script, JAX and PyTorch
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.epochs

recipe: .venv/runtime  ## run a recipe, for example make recipe NAME=cnn; without NAME, list all recipes
	$(BIN)/python -m tools.recipe "$$NAME"

recipes: .venv/runtime  ## time and score each recipe that lacks results, and write the table of recipes
	$(BIN)/python -m benchmarks.recipes

processors: .venv/runtime  ## train with fewer processor instructions and compare the models
	$(BIN)/python -m benchmarks.processors

# uv keeps the versions in the lock that it replaces, unless it is told to upgrade.
LOCK = $(BIN)/python -m uv pip compile pyproject.toml --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.10 \
	--generate-hashes --no-python-downloads --no-annotate --custom-compile-command 'make lock'

lock: .venv/installed  ## update the locks after a change of pyproject.toml; with UPGRADE=1, take the newest versions
	$(LOCK) --extra dev --output-file requirements-dev.lock  # first: some extras take older versions only
	$(LOCK) --constraint requirements-dev.lock --output-file requirements.lock
	sed -n '/^pillow==/,/[^\\]$$/p' requirements.lock > requirements-pillow.lock  # download depends on it
	sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock > requirements-uv.lock
