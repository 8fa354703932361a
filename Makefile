# Needs make and Python >= 3.11 (make PYTHON=python3.13 ... names another one). Everything else goes into .venv.
# ARGS is handed on: make run ARGS="--port 9000", make test ARGS="-k segments".

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
COMPILE = $(BIN)/uv pip compile --quiet --no-config --no-header --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --annotation-style line
# A folder without a Python file yet would be an error to mypy.
CHECKED := tests $(if $(wildcard benchmarks/*.py),benchmarks)

.DEFAULT_GOAL := help
.PHONY: help run test test-fast check check-format check-lint check-mypy check-pyright check-imports check-hosts \
	format bench bench-quick bench-list bench-memory lock build sdk-types hooks clean venv-run venv-dev

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: venv-run ## Start PostgreSQL, NATS, the API and the workers
	@exec $(BIN)/smsledger up $(ARGS)

test: venv-dev ## Run all tests
	@$(BIN)/python -m pytest $(ARGS)

test-fast: venv-dev ## Run the tests of the rooms, without the whole service
	@$(BIN)/python -m pytest --ignore=tests/whole --ignore=tests/clients --ignore=sdk $(ARGS)

check: check-format check-lint check-mypy check-pyright check-imports check-hosts ## Run every static check

check-format: venv-dev
	@$(BIN)/ruff format --check . .ci

check-lint: venv-dev
	@$(BIN)/ruff check . .ci

check-mypy: venv-dev
	@$(BIN)/mypy
	@$(BIN)/mypy $(CHECKED) sdk/python/tests
	@$(BIN)/mypy --config-file sdk/python/pyproject.toml sdk/python/smsledger_client

check-pyright: venv-dev
	@$(BIN)/pyright

check-imports: venv-dev
	@$(BIN)/lint-imports --no-logo

check-hosts: venv-dev
	@$(BIN)/python .ci/no_registry_hosts.py

format: venv-dev ## Format the code and sort its imports
	@$(BIN)/ruff check --quiet --select I --fix . .ci
	@$(BIN)/ruff format . .ci

bench: venv-dev ## Measure against the floors, write benchmarks/out/bench.json
	@$(BIN)/python -m benchmarks run $(ARGS)

bench-quick: venv-dev ## The same in under 50 s
	@$(BIN)/python -m benchmarks run --quick $(ARGS)

bench-list: venv-dev ## Measure the list with 10,000 and with 1,000,000 messages
	@$(BIN)/python -m benchmarks list $(ARGS)

bench-memory: venv-dev ## Check for ten minutes that no process grows
	@$(BIN)/python -m benchmarks memory $(ARGS)

# The development set first; the others take its versions, so that one .venv serves all.
lock: venv-dev ## Resolve the lock files anew (ARGS=--upgrade for newer versions)
	@$(COMPILE) pyproject.toml --extra embedded --group dev -o requirements-dev.lock $(ARGS)
	@$(COMPILE) pyproject.toml --extra embedded --group build -c requirements-dev.lock -o requirements.lock $(ARGS)
	@$(COMPILE) pyproject.toml -c requirements-dev.lock -o requirements-server.lock $(ARGS)
	@$(COMPILE) --group build -c requirements-dev.lock -o requirements-build.lock $(ARGS)
	@$(BIN)/python .ci/no_registry_hosts.py

build: venv-dev ## Build the wheels of the service and of the Python client into dist/
	@$(BIN)/python -m hatchling build -t wheel
	@cd sdk/python && ../../$(BIN)/python -m hatchling build -t wheel -d ../../dist

# With Node and npm on PATH.
sdk-types: venv-dev ## Renew the OpenAPI document and types that the TypeScript client is checked against
	@$(BIN)/python -m tests.clients.typescript.openapi_document sdk/typescript/openapi.json
	@cd sdk/typescript && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npm run --silent types

hooks: venv-dev ## Let git run the checks before each commit
	@$(BIN)/pre-commit install

clean: ## Remove .venv, caches and build results; the data in .smsledger stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist benchmarks/out \
		sdk/typescript/dist sdk/typescript/node_modules
	@find . -name __pycache__ -type d -not -path './.smsledger/*' -prune -exec rm -rf {} +

venv-run:
	@$(PYTHON) .ci/venv.py run

venv-dev:
	@$(PYTHON) .ci/venv.py dev
