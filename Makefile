# Every target sets up what it needs first; doing it again costs nothing. `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down secrets test test-stack lint bench lock lock-check audit clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
# Images of Python often ask for no bytecode: then each of the many processes here compiles torch and Airflow anew.
export PYTHONDONTWRITEBYTECODE :=
READY := $(VENV)/.ready
UV := $(BIN)/uv --quiet
COMPILE := $(UV) pip compile --python-version 3.11 --universal --generate-hashes --no-header --no-annotate
# What the images install, cut out of requirements.lock: the same versions by the same hashes.
IMAGES := worker control build
FROM_worker := pyproject.toml
FROM_control := --group control
FROM_build := --group build

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## install everything into .venv (part of every other target)

$(READY): requirements.lock pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "lvbag needs Python 3.11; found $$($(PYTHON) --version). Name another with: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what requirements.lock names into $(VENV) (6.4 GB, a few minutes at the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY) ## two nights of the whole chain against a marketplace on this machine (PHOTOS=folder for real photographs)
	@$(BIN)/lvbag demo run $(if $(PHOTOS),--photos "$(PHOTOS)")

up: $(READY) ## start the object store and Airflow on this machine
	@$(BIN)/lvbag up

down: $(READY) ## stop what `make demo` or `make up` started
	@$(BIN)/lvbag down

secrets: ## write .env, the secrets of docker-compose.yaml, unless it stands
	@$(PYTHON) docker/make_secrets.py

# Tests wait for servers half of their time, so two files run side by side; the longest one, a whole demo, begins.
test: $(READY) ## run all tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-stack: $(READY) ## the production stack as processes, also broken in the middle of nights (needs PostgreSQL and Redis)
	@$(BIN)/python -m pytest -m stack tests/stack

lint: $(READY) ## ruff, ruff format, mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY) ## measure ourselves beside our peers
	@for file in bench/*.py; do $(BIN)/python $$file || exit 1; done

lock: $(READY) ## renew requirements.lock and docker/*.lock from pyproject.toml, keeping the versions that still fit
	@$(COMPILE) pyproject.toml --group dev -o requirements.lock
	@$(foreach image,$(IMAGES),$(COMPILE) $(FROM_$(image)) -c requirements.lock -o docker/requirements-$(image).lock &&) true

lock-check: $(READY) ## fail when a lock file does not fit pyproject.toml
	@cp requirements.lock $(VENV)/requirements.check
	@$(COMPILE) pyproject.toml --group dev -o $(VENV)/requirements.check > /dev/null
	@$(foreach image,$(IMAGES),cp docker/requirements-$(image).lock $(VENV)/$(image).check && \
		$(COMPILE) $(FROM_$(image)) -c requirements.lock -o $(VENV)/$(image).check > /dev/null &&) true
	@diff -u requirements.lock $(VENV)/requirements.check > /dev/null \
		$(foreach image,$(IMAGES),&& diff -u docker/requirements-$(image).lock $(VENV)/$(image).check > /dev/null) || \
		{ echo "requirements.lock or one in docker/ does not fit pyproject.toml: run 'make lock' and commit them"; exit 1; }

audit: $(READY) ## ask OSV whether anything in the lock files has a known vulnerability
	@$(BIN)/python .ci/audit.py

clean: ## remove the environment and all that ran (asks nothing: data under .run is lost)
	@if test -x $(BIN)/lvbag; then $(BIN)/lvbag down; fi
	@rm -rf $(VENV) .run
