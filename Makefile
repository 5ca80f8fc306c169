# execactor: one file of commands. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml 2>/dev/null)

SEEDS ?= 100000

.DEFAULT_GOAL := help
.PHONY: build demo test simulate lint bench clean help kills

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: $(VENV)/.built ## make .venv with the release extension and the execactor command in it

$(VENV)/.locked: requirements-dev.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"execactor needs Python 3.11 or newer; $(PYTHON) is {v.major}.{v.minor}. Try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.built: $(VENV)/.locked pyproject.toml $(RUST_SOURCES)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --config-settings=build-args=--locked -e .
	@touch $@

demo: build ## trade three decisions on a simulated venue, with a kill -9 in mid-trade
	$(BIN)/execactor demo

test: build ## every test, Rust and Python, with coverage
	cargo test --locked --quiet -p execactor-core
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=85
simulate: build ## the engine in virtual time under faults drawn by seed: SEEDS=100000, JOBS: one for each core
	$(BIN)/execactor simulate --seeds $(SEEDS) $(if $(JOBS),--jobs $(JOBS)) --shrink
lint: build ## format, types, clippy, and the stub of the extension
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest execactor._core
	cargo fmt --all --check
	cargo clippy --locked --all-targets --quiet -- -D warnings

bench: build ## latency through all actors, the book beside a plain Python book, the actor runtime and its gates
	$(BIN)/python bench/run.py

kills: build ## 300 real SIGKILLs of the service in trades on the simulator, each judged (about ten minutes)
	$(BIN)/python tests/simulation/kill_soak.py --kills 300

clean: ## remove what the other commands made
	rm -rf $(VENV) target dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .coverage*
	find python -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
