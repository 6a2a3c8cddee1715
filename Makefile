# Needs Python 3.11 or newer with pip and venv; everything else is installed into .venv by the first target that wants it
# (test-mpi: .venv-mpi).
# Where the package index offers torch with CUDA, its CPU build is far smaller:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MPI := .venv-mpi

.DEFAULT_GOAL := help
.PHONY: help demo bench docs test test-more test-slow test-machines test-mpi explore lint format clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target text; do printf '%-18s %s\n' "$$target" "$$text"; done

demo: $(VENV)/.demo  ## solve a Poisson equation, clone a picture, train an MgNet; pictures land in out/
	$(BIN)/python examples/demo.py --output out

test: $(VENV)/.test  ## all tests but the slow ones; of those with many cases a part
	$(BIN)/python -m pytest -n auto --dist worksteal

bench: $(VENV)/.bench  ## the solver beside scipy.fft, Intel MKL, PyAMG and PETSc; minutes, on an idle machine
	$(BIN)/python benchmarks/poisson_speed.py

docs: $(VENV)/.docs  ## the site, in site/index.html; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

test-more: $(VENV)/.test  ## the cases that `make test` leaves out
	$(BIN)/python -m pytest -n auto --dist worksteal -m "more and not slow"

test-slow: $(VENV)/.test  ## the slow tests alone
	$(BIN)/python -m pytest -m slow

explore: $(VENV)/.test  ## random examples for SECONDS=600 from SEED on, and how to repeat what fails
	$(BIN)/python -m tests.explore --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

test-machines: $(VENV)/.test  ## what depends on rounding, as other processors, thread counts and seeds would run it
	$(BIN)/python -m tests.machines

test-mpi: $(MPI)/.test-mpi  ## the solver on many ranks, under mpiexec, in an environment of its own
	$(MPI)/bin/python -m pytest tests/mpi

lint: $(VENV)/.lint  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.lint  ## let ruff rewrite the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove everything that git ignores here, the environment included
	rm -rf $(VENV) $(MPI) out build site dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp per set of extras: installed again when what it asks for has changed, and not otherwise.
$(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -c constraints.txt -e '.[$*]'
	@touch $@

$(MPI)/.%: pyproject.toml constraints.txt | $(MPI)/bin/python
	$(MPI)/bin/python -m pip install -c constraints.txt -e '.[$*]'
	@touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(MPI)/bin/python:
	$(PYTHON) -m venv $(MPI)
