# People's entry points. Everything that is made lies below .local/ and cdktf.out/.
SHELL := /bin/sh
PYTHON := .local/cache/venv/bin/python
ENV ?= local
# Compiled modules stay out of the source folders, and are not compiled again by every process,
# also where an image forbids bytecode to keep such folders clean.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.local/cache/pycache
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup local stop clean test soak check new docs bench policy plan deploy drift destroy

help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup:           ## install everything below .local/cache, once
	@command -v python3 >/dev/null || { echo "Python: not found; needed: 3.11 or newer; get it: python.org" >&2; exit 1; }
	@python3 tools/setup.py

local: setup     ## deploy and run the platform on this machine [SYSTEM_TABLES=folder]
	@$(PYTHON) -m tools local $(if $(SYSTEM_TABLES),--system-tables "$(SYSTEM_TABLES)")

stop:            ## stop the workspace that `make local` left running
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m tools stop; else echo "nothing runs"; fi

clean: stop      ## remove all that was made
	@rm -rf .local cdktf.out
	@find . -name __pycache__ -prune -exec rm -rf {} +
	@rm -rf .pytest_cache .mypy_cache .ruff_cache

test: setup      ## all tests
	@$(PYTHON) -m tools browser
	@$(PYTHON) -m tools test

soak: setup      ## long checks: gold day by day and at once, 20 kills of Spark (hours)
	@$(PYTHON) -m pytest tests/soak

check: setup     ## definitions, types and lint, in seconds
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy emulator infra tools tests workloads/health_monitor
	@$(PYTHON) -m tools definitions
	@$(PYTHON) -m tools docs --check

new: setup       ## a first version of a definition: KIND=gold NAME=cost/fact_x [READS=gold.fact_usage]
	@$(PYTHON) -m tools new "$(KIND)" "$(NAME)" $(if $(READS),--reads "$(READS)")

docs: setup      ## write the catalog of tables and the diagrams below docs/
	@$(PYTHON) -m tools docs

bench: setup     ## how fast, how large, as ratios [ROWS=60000] [JSON=file]
	@$(PYTHON) -m tools bench $(if $(ROWS),--usage-rows $(ROWS) --memory-rows $(ROWS)) $(if $(JSON),--json "$(JSON)")

policy: setup    ## whether every resource keeps the rules [ENV=local]
	@$(PYTHON) -m infra policy --env $(ENV)

plan:            ## what a deploy would change [ENV=local]
	@$(PYTHON) -m tools infra plan --env $(ENV)

deploy:          ## deploy all stacks [ENV=local]
	@$(PYTHON) -m tools infra deploy --env $(ENV)

drift:           ## what somebody changed by hand [ENV=local]
	@$(PYTHON) -m tools infra drift --env $(ENV)

destroy:         ## destroy all stacks [ENV=local]
	@$(PYTHON) -m tools infra destroy --env $(ENV)
