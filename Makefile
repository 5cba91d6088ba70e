.DEFAULT_GOAL := help
.PHONY: help up worker test test-unit test-db test-acceptance test-engines test-long lint format bench \
	chaos chaos-short

# With it, each of the many programs that tests start would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Each process of pytest has a PostgreSQL and a Valkey of its own.
PARALLEL := --numprocesses 2
# Tests that start programs wait most of the time, so more of them run at once. Tests of
# one file run in one process, which starts what they share once.
WAITING := --numprocesses 4 --dist loadfile
PROGRAMS := processes or acceptance or browser or chaos
# Only `make test-engines` runs these: npm fetches what they need.
ELSEWHERE := typescript
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(RUN),$(RUN) -m pip install --quiet --disable-pip-version-check)

help: ## Show these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

up: $(VENV)/.installed ## Start everything on this machine; Ctrl-C ends it
	@$(RUN) -m local up --end-with-parent

worker: $(VENV)/.installed ## Start a worker next to `make up`: Q=shop I=shop.tasks
	@test -n "$(Q)" -a -n "$(I)" || { echo 'Usage: make worker Q=<queue> I=<module>' >&2; exit 2; }
	@exec $(VENV)/bin/celery -A config worker -Q "$(Q)" -I "$(I)" -E -n "$(Q)-$$$$@%h" \
		-c "$${TICKHOOK_AGENT_CONCURRENCY:-2}" --loglevel INFO

test: lint ## Check the code and run every test
	$(RUN) -m pytest $(PARALLEL) -m "not ($(PROGRAMS) or $(ELSEWHERE))"
	$(RUN) -m pytest $(WAITING) -m "$(PROGRAMS)"

test-unit: $(VENV)/.installed-dev ## Run the tests that need no server
	$(RUN) -m pytest $(PARALLEL) -m unit

test-db: $(VENV)/.installed-dev ## Run the tests that need PostgreSQL or Valkey
	$(RUN) -m pytest $(PARALLEL) -m "not (unit or $(PROGRAMS) or $(ELSEWHERE))"

test-acceptance: $(VENV)/.installed-dev ## Run the tests that start programs or a browser
	$(RUN) -m pytest $(WAITING) -m "processes or acceptance or browser"

# A clone's `make up` starts a PostgreSQL of its own, without PgBouncer.
test-engines: $(VENV)/.installed-dev ## Run the acceptance tests behind PgBouncer, and TypeScript clients
	TEST_ENGINE=pgbouncer $(RUN) -m pytest $(WAITING) -m "acceptance or $(ELSEWHERE)" tests/acceptance \
		--ignore tests/acceptance/test_make_up.py

# The type checker's Django plugin loads the settings, which want a key.
test-long: $(VENV)/.installed-dev ## Run tests with 100,000 triggers, templates and documents
	MANY_TRIGGERS=100000 $(RUN) -m pytest tests/access/test_many_rows.py
	MANY_TEMPLATES=20000 $(RUN) -m pytest tests/common/templating/test_properties.py

lint: export SECRET_KEY = for-the-type-checker-only
lint: $(VENV)/.installed-dev ## Check style, types, imports and words
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy .
	$(VENV)/bin/lint-imports
	$(RUN) docs/dev/check_words.py

format: $(VENV)/.installed-dev ## Rewrite the code in the common style
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: $(VENV)/.installed-dev ## Run the benchmarks, each next to its baseline
	@$(RUN) -m benchmarks

chaos: $(VENV)/.installed-dev ## Run the long forms of the chaos tests
	CHAOS=long $(RUN) -m pytest -m chaos

chaos-short: $(VENV)/.installed-dev ## Run the short forms of the chaos tests
	$(RUN) -m pytest $(WAITING) -m chaos

$(VENV)/.installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Tickhook needs Python 3.11 or newer: make PYTHON=...'; exit 1; }
	@echo 'Installing into $(VENV): about a minute.'
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo 'Installing the tools for tests.'
	@$(INSTALL) -r requirements-dev.txt
	@touch $@
