# `make` alone lists what there is to do. It needs git, make and Python >= 3.11, and fetches the rest into .venv.

PYTHON ?= python3
UV := $(or $(shell command -v uv 2>/dev/null),.cache/uv/bin/uv)
BIN := .venv/bin
READY := .venv/.ready
SPANS ?= 200000
SECONDS ?= 60
MINUTES ?= 10
RATE ?= 5000

# The goals, for the test that runs the README's commands: one of them is the command that runs that test.
export LLMLAB_MAKE_GOALS := $(MAKECMDGOALS)

.DEFAULT_GOAL := help
.PHONY: help demo all test test-fast test-oldest docs-table lint typecheck format bench bench-ingest bench-stages bench-overhead bench-around bench-instructions fuzz soak soak-outage clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-18s %s\n' "$$name" "$$text"; done

demo: $(READY) ## Run an application, an exporter and a local provider; ARGS=--once ends by itself
	@PYTHONPATH=examples $(BIN)/python -m demo $(ARGS)

all: typecheck test ## Everything that CI runs: lint, typecheck, test

test: lint ## Install what the tests need, then lint and run all tests
	@tests/install-servers
	$(BIN)/pytest

test-fast: $(READY) ## Run the tests that start no processes
	$(BIN)/pytest -m "not e2e"

test-oldest: $(READY) ## Test each SDK at the lowest version that is supported; SDK=openai for one
	@PYTHONPATH=tests $(BIN)/python tests/instrumentation/oldest.py $(SDK)

docs-table: $(READY) ## Write the table of tested calls in docs/instrumentation.md
	@mkdir -p .cache && rm -f .cache/cells.json
	LLMLAB_CELLS_FILE=$(CURDIR)/.cache/cells.json $(BIN)/pytest -q tests/instrumentation
	@PYTHONPATH=tests $(BIN)/python tests/instrumentation/calls_table.py .cache/cells.json

lint: $(READY) ## Check style, format and who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

typecheck: $(READY) ## Check the types, strictly
	$(BIN)/pyright

format: $(READY) ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: bench-ingest bench-stages bench-overhead ## Run all benchmarks

bench-ingest: $(READY) ## Measure the exporter's throughput; SPANS=1000000 for the full run
	$(BIN)/python benchmarks/ingest.py --spans $(SPANS)

bench-stages: $(READY) ## Measure each stage of the exporter by itself
	$(BIN)/python benchmarks/stages.py

bench-overhead: $(READY) ## Measure what the instrumentation costs per call
	$(BIN)/python benchmarks/overhead.py

bench-around: $(READY) ## Measure it around the SDK's own work only, against its floor
	$(BIN)/python benchmarks/around.py

bench-instructions: $(READY) ## Count the instructions of it, with valgrind
	$(BIN)/python benchmarks/instructions.py

fuzz: $(READY) ## Fuzz the exporter; SECONDS=600 for longer
	$(UV) pip install --quiet --target .cache/atheris atheris
	PYTHONPATH=tests:.cache/atheris $(BIN)/python -m fuzz.fuzz -max_total_time=$(SECONDS) -max_len=3000

soak: $(READY) ## Send a million calls through crashes and outages, and compare all sums with the truth
	PYTHONPATH=tests:benchmarks $(BIN)/python -m reliability.soak
	LLMLAB_FLOOD_NAMES=100000 $(BIN)/pytest -q tests/e2e/test_floods.py

soak-outage: $(READY) ## Take the store away for ten minutes at 5,000 calls per second; MINUTES=1 RATE=1000 for less
	PYTHONPATH=tests:benchmarks $(BIN)/python -m reliability.outage --minutes $(MINUTES) --rate $(RATE)

clean: ## Remove the environment and everything that was built
	rm -rf .venv .cache build dist .pytest_cache .ruff_cache .hypothesis .coverage*

$(READY): pyproject.toml uv.lock | $(filter .cache/%,$(UV))
	$(UV) sync --frozen
	@touch $@

.cache/uv/bin/uv:
	@$(PYTHON) -m venv .cache/uv || { rm -rf .cache/uv; \
		echo "error: '$(PYTHON) -m venv' does not work, and there is no uv" >&2; \
		echo "hint: install uv, or Python with venv (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@.cache/uv/bin/pip install --quiet --disable-pip-version-check uv
