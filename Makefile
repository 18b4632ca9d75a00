# make serve DIR=~/Public   install into .venv and serve a folder over FTP
# make test                 install what the tests need, and run them all
# make wheel                build a wheel with the hot modules compiled, into dist/
# All work from a fresh checkout; PYTHON=... names another Python (3.11 or later).

DIR ?= .
PYTEST_ARGS ?=
export PYTHON ?= python3

BIN := .venv/bin
SOURCES := src tests tools setup.py $(wildcard bench)
BUILD := pyproject.toml setup.py $(wildcard src/homeport/storage/*.[ch]) tools/venv.sh

.PHONY: serve test programs lint types tests wheel compiled conformance bench bench-scale format lock clean
.DEFAULT_GOAL := test

serve: .venv/run.stamp
	$(BIN)/homeport serve "$(patsubst ~/%,$(HOME)/%,$(DIR))"

test: lint types tests compiled
	$(BIN)/python tools/conformance.py --check

lint: .venv/dev.stamp
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: .venv/dev.stamp
	$(BIN)/mypy

tests: .venv/dev.stamp programs
	$(BIN)/python -m pytest --standards build/standards.json $(PYTEST_ARGS)

wheel: build/wheel.stamp

# The compiled modules through the same tests, as far as they meet them.
compiled: build/wheel.stamp
	PYTHONPATH=build/compiled $(BIN)/python -m pytest $(addprefix tests/,protocol storage net data session server tls) $(PYTEST_ARGS)

# Every row of the catalogue, and the test that proves it: docs/conformance.md.
conformance: tests
	$(BIN)/python tools/conformance.py

bench: build/wheel.stamp
	$(BIN)/python bench/run.py

bench-scale: build/wheel.stamp
	$(BIN)/python bench/scale.py

format: .venv/dev.stamp
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

programs:
	@tools/programs.sh
	@tools/npm.sh

# The locks name versions and hashes, and no index: pip takes the one it is set up for. Needs uv.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		pyproject.toml --extra acme --group build --output-file requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --upgrade --constraint requirements.lock \
		pyproject.toml --extra acme --group build --group dev --output-file requirements-dev.lock

clean:
	rm -rf .venv .tools build dist bench/work .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf src/homeport.egg-info src/homeport/storage/_*.so

.venv/run.stamp: requirements.lock $(BUILD)
	tools/venv.sh requirements.lock
	@touch $@

# What the tests need includes all that the server needs.
.venv/dev.stamp: requirements-dev.lock requirements.lock $(BUILD)
	tools/venv.sh requirements-dev.lock
	@touch $@ .venv/run.stamp

build/wheel.stamp: .venv/dev.stamp tools/wheel.sh setup.py $(shell find src -name "*.py")
	tools/wheel.sh
	@touch $@
