# One door to everything. What a target needs it sets up itself, once: a fresh machine needs Python 3.11 or later and make.
# PYTHON=... chooses the interpreter, ARGS=... is passed on, JOBS=... is the number of test processes.

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
JOBS ?= 2
# What sets up .venv and the tools in it asks nobody anything and hears nothing of an environment that is active outside.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

# uv from the PATH, or else fetched into .venv by pip. It takes the index that pip was given, and the certificates of the system.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BIN)/uv)
INSTALL = $(UV) pip install -q --python $(BIN)/python
export UV_SYSTEM_CERTS ?= 1
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: help run test check lint types floors generated wheel bench fast fuzz audit worlds drills wire docs pictures interop lock
.DEFAULT_GOAL := help

help: ## print this
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: $(STAMPS)/base ## a virtual station charging cars against a CSMS, one line per event (ARGS="--speed 60 --json")
	@$(BIN)/station-sim demo $(or $(ARGS),--exit)

test: $(STAMPS)/dev $(STAMPS)/interop ## all tests, the interop tests included (ARGS="-k outbox")
	@$(BIN)/python -m pytest -n $(JOBS) -q tests $(ARGS)

check: lint types floors generated wheel ## format, lint, types, floors, generated files, the wheel in an empty environment

lint: $(STAMPS)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMPS)/dev
	$(BIN)/mypy

floors: $(STAMPS)/dev
	$(BIN)/lint-imports

generated: $(STAMPS)/dev
	$(BIN)/python -m tools.make_wire --check
	$(BIN)/python -m tools.coverage --check
	$(BIN)/python -m tools.reference --check
	$(BIN)/python -m tools.make_commands --check
	$(BIN)/python -m tools.make_events --check
	$(BIN)/python -m tools.make_plan_schema --check
	$(BIN)/python -m tools.make_cli --check
	$(BIN)/python -m tools.make_config --check

wheel: $(STAMPS)/dev
	$(BIN)/python -m tools.check_wheel

bench: $(STAMPS)/dev ## the bench: CPU and memory against the bare protocol
	@$(BIN)/python -m bench --memory $(ARGS)
	@-$(BIN)/python -m tools.fast
	@$(BIN)/python -m bench.world

fast: $(STAMPS)/dev ## the fast build for long hunts and large fleets, compiled into build/fast; needs a C compiler
	@$(BIN)/python -m tools.fast --check

fuzz: export FUZZ_FRAMES ?= 1000000
fuzz: $(STAMPS)/dev ## a million frames of a CSMS gone mad (FUZZ_FRAMES=, FUZZ_SEED=)
	@$(BIN)/python -m pytest -q tests/unit/core/test_fuzz.py $(ARGS)

audit: $(STAMPS)/dev ## sabotage 40 requirements drawn by hash, each in a copy; their tests must notice (ARGS=16-MV-03)
	@$(BIN)/python -m tests.audit.run $(ARGS)

worlds: $(STAMPS)/dev ## the judges are judged: broken stations, most of which pass the ordinary tests, each found by its promise; then a longer hunt (ARGS="--only lamp")
	@$(BIN)/python -m tests.mutants.run --jobs $(JOBS) $(ARGS)
	@WORLDS=1 $(BIN)/python -m pytest -n $(JOBS) -q tests/world/test_hunt.py tests/world/test_replay.py

drills: $(STAMPS)/dev ## kill a station 200 times and cut the power under its store 1,000 times; every promise must be kept
	@$(BIN)/python -m tests.drills.kill --times 200 --seed 1
	@$(BIN)/python -m tests.drills.power --cuts 1000 --seed 1

wire: $(STAMPS)/dev ## generate the wire types from the schemas
	$(BIN)/python -m tools.make_wire

docs: $(STAMPS)/dev ## generate docs/reference: coverage from the tags of the tests; states, faults, commands, events, options and settings from the code
	$(BIN)/python -m tools.coverage
	$(BIN)/python -m tools.reference
	$(BIN)/python -m tools.make_commands
	$(BIN)/python -m tools.make_events
	$(BIN)/python -m tools.make_plan_schema
	$(BIN)/python -m tools.make_cli
	$(BIN)/python -m tools.make_config

pictures: $(STAMPS)/base ## draw docs/pictures anew: the live view of a station in virtual time
	$(BIN)/python -m tools.make_picture

interop: $(STAMPS)/interop ## set up what the interop tests talk to (Node.js packages)

lock: $(STAMPS)/venv $(filter $(BIN)/uv,$(UV)) ## resolve requirements/*.lock anew (ARGS=--upgrade)
	$(LOCK) requirements/bootstrap.in -o requirements/bootstrap.lock
	$(LOCK) pyproject.toml requirements/base.in -o requirements/base.lock
	$(LOCK) pyproject.toml requirements/base.in requirements/dev.in -c requirements/base.lock -o requirements/dev.lock
	$(LOCK) requirements/interop.in -o requirements/interop.lock

LOCK = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" $(ARGS)

# --- what the targets stand on: each stamp adds to .venv and takes nothing away -------------------------------------------------

ifndef PYTHON
PYTHON = $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && exit; done; echo python3)
endif
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11) and "ev-station needs Python 3.11 or later, this is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")

$(STAMPS)/venv:
	@$(PYTHON) -c '$(NEW_ENOUGH)'
	@echo "setting up $(VENV), once"
	@$(PYTHON) -m venv $(VENV) && mkdir -p $(STAMPS) && touch $@

$(BIN)/uv: requirements/bootstrap.lock | $(STAMPS)/venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock && touch $@

# The project itself is installed as a link to this folder, built by the hatchling of base.lock.
$(STAMPS)/base: requirements/base.lock pyproject.toml $(filter $(BIN)/uv,$(UV)) | $(STAMPS)/venv
	@$(INSTALL) --require-hashes -r requirements/base.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable . && touch $@

$(STAMPS)/dev: requirements/dev.lock $(STAMPS)/base
	@$(INSTALL) --require-hashes -r requirements/dev.lock && touch $@

# Node.js from the PATH, or else from a wheel; tests/interop/node.py knows which.
$(STAMPS)/interop: requirements/interop.lock tests/interop/package-lock.json $(STAMPS)/base
	@$(BIN)/python -m tests.interop.node || $(INSTALL) --require-hashes -r requirements/interop.lock
	@$(BIN)/python -m tests.interop.node npm ci && touch $@
