# `make check` does what .ci/run does after its install: lint, types, tests.
PYTHON ?= python

.PHONY: install check lint types test format

install:
	$(PYTHON) -m pip install -c constraints.txt -e ".[dev]"

check: lint types test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
