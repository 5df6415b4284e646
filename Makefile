# The commands of this repository: `make help` lists them. Everything runs in .venv,
# which the first command makes from constraints.txt; nothing else is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.docs-ready
TORCH := $(shell sed -n '/^torch==/p' constraints.txt)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
PYTEST_ARGS ?=
DATA ?=
DEMO_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow coverage mutants lint format types docs dist constraints clean

help: ## list these commands
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: $(READY) ## make .venv with everything the other commands need

# torch first and alone, so that pip takes the build of its configured index (CPU).
$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PIP) "pip>=25.1"
	$(PIP) "$(TORCH)"
	$(PIP) -c constraints.txt -e ".[all]" --group dev
	@touch $@

$(DOCS_READY): $(READY)
	$(PIP) -c constraints.txt -e ".[all,docs]"
	@touch $@

demo: $(READY) ## the whole product in minutes; DATA=folder for real observations
	$(BIN)/python examples/demo.py $(if $(DATA),--data "$(DATA)") $(DEMO_ARGS)

# One thread a test: tiny models gain nothing from more, and spinning ones cost a lot.
test test-slow coverage: export OMP_NUM_THREADS ?= 1

test: $(READY) ## quick tests, and the examples in docstrings
	$(PYTEST) --doctest-modules -m "not slow and not network" $(PYTEST_ARGS) tests xstefaland

test-slow: $(READY) ## the tests that take longer
	$(PYTEST) -m "slow and not network" $(PYTEST_ARGS) tests

coverage: $(READY) ## which lines the quick tests run, room by room
	$(PYTEST) -m "not slow and not network" --cov --cov-report=term --cov-report=xml $(PYTEST_ARGS) tests
	$(BIN)/python benchmarks/covered.py

lint: $(READY) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## put the code into house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DOCS_READY) ## the manual, in docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

dist: ## what a release uploads: sdist, and wheel from it, in dist/
	$(PYTHON) -m venv $(VENV)-build
	$(VENV)-build/bin/python -m pip install --quiet build twine
	$(VENV)-build/bin/python -m build
	$(VENV)-build/bin/python -m twine check --strict dist/*
	rm -rf $(VENV)-build

mutants: $(READY) ## how many small bugs the tests notice: an hour
	$(BIN)/python benchmarks/mutants.py $(BENCHMARK_ARGS)

benchmark-weights: $(READY) ## tables of the heads that are trained; BENCHMARK_ARGS=--help
	$(BIN)/python -m benchmarks.weights table $(BENCHMARK_ARGS)

benchmark-skill: $(READY) ## pages of the benchmarks that were run at full size
	$(BIN)/python -m benchmarks.skill pages $(BENCHMARK_ARGS)

benchmark-%: $(READY) ## one of benchmarks/: make benchmark-encoder
	$(BIN)/python benchmarks/$(subst -,_,$*).py $(BENCHMARK_ARGS)

constraints: $(DOCS_READY) ## write constraints.txt from what .venv has
	{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | \
		sed 's/+cpu$$//'; } > constraints.new && mv constraints.new constraints.txt

clean: ## remove what the commands made, but .venv
	rm -rf build dist demo-output docs/_build docs/api/generated docs/generated docs/jupyter_execute
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* coverage.xml
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +
