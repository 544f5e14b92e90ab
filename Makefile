# Two commands do it all: `make train` shows what raciflux is for, `make test` runs the default suite.
PYTHON ?= python3
BIN := .venv/bin
# The build backend warns at every editable install of folders named like the package; there are none.
INSTALL := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: train test test-slow lint clean

train: .venv/.installed
	$(BIN)/python scripts/train.py

test: .venv/.installed-dev
	$(BIN)/python -m pytest

test-slow: .venv/.installed-dev
	$(BIN)/python -m pytest -m "slow or gpu" -rP

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/.installed: pyproject.toml constraints.txt setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: raciflux needs Python >= 3.11; make PYTHON=python3.12 ..." >&2; exit 2; }
	@echo "installing pinned packages into .venv (once, some minutes)"
	@$(PYTHON) -m venv .venv || { echo "error: python venv is missing; on Debian or Ubuntu: apt install python3-venv" >&2; exit 2; }
	@$(INSTALL) --upgrade pip
	@$(INSTALL) --editable ".[cpu]"
	@touch $@

.venv/.installed-dev: .venv/.installed
	@$(INSTALL) --editable ".[cpu,dev,hub]"
	@touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
