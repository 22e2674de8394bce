# Everything there is to do, on a Debian or Ubuntu machine with python3 (3.11 or newer), make and git. `make help` tells.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
OUT ?= lesionmap-demo
BIN := .venv/bin
READY := .venv/.ready
DISPLAYED := $(DISPLAY)$(WAYLAND_DISPLAY)
SCREEN := xvfb-run -a -s "-screen 0 1920x1080x24"
# Core tests leave napari's and Qt's pytest plugins alone: they start in a second.
PYTEST := $(BIN)/python -m pytest --ignore=tests/benchmarks
FIGURES := --figures docs/benchmarks.md
HEADLESS := -p no:napari -p no:pytest-qt -p no:npe2 -p no:napari-plugin-engine

export PYTHON
export PYTHONHASHSEED := 0
export PSYGNAL_HIDE_LOCALS := 1
export MPLBACKEND := Agg

.PHONY: help set-up demo test lint test-core test-plugin test-long coverage mutants bench docs format sample skeleton-page agreement-page shots wheel lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

set-up: $(READY) ## make .venv with the locked versions of everything

$(READY): requirements.lock pyproject.toml
	@.ci/system-packages venv
	@echo "setting up .venv (once, some minutes at most)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock || { \
	  echo "uv could not fetch the packages; trying pip"; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## the sample patient: napari, or without a display the report, map and tables
ifeq ($(DISPLAYED),)
	@$(BIN)/lesionmap demo --no-window --overwrite -o $(OUT)
else
	@.ci/system-packages window
	@$(BIN)/lesionmap demo --overwrite -o $(OUT)
endif

test: lint test-core test-plugin ## every check: style, types, import rules, tests, tests in a window

lint: $(READY) ## style, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

test-core: $(READY) ## tests without a screen
	@$(PYTEST) $(HEADLESS) -p no:benchmark --ignore=tests/plugin -m "not long" -n 2 --doctest-modules lesionmap tests \
	  --junitxml=build/junit/core.xml

test-plugin: $(READY) ## tests of the napari plugin, on two virtual screens side by side
	@.ci/system-packages screen
	@.ci/plugin-tests $(PYTEST)

test-long: $(READY) ## the long runs; what they measure goes into docs/benchmarks.md
	@.ci/system-packages screen
	@$(SCREEN) $(PYTEST) -p no:benchmark -p no:xdist -m long tests $(FIGURES)

coverage: $(READY) ## lines of the core that no test runs, child processes too
	@$(PYTEST) $(HEADLESS) -p no:benchmark --ignore=tests/plugin -m "not long" -n 2 --cov=lesionmap \
	  --cov-report=term-missing:skip-covered tests

mutants: $(READY) ## plant faults one by one in measure, compare and locate: which does no test see? (hours)
	@$(BIN)/mutmut run
	@$(BIN)/mutmut export-cicd-stats

bench: $(READY) ## speed against the named peers, as ratios, into docs/benchmarks.md
	@.ci/system-packages screen
	@$(SCREEN) $(BIN)/python -m pytest $(HEADLESS) -p no:xdist tests/benchmarks -q $(FIGURES)

docs: $(READY) ## build the pages of docs/ into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q -f .ci/mkdocs.yml
	@echo "open build/site/index.html"

format: $(READY) ## put the code into its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

sample: $(READY) ## make sample_data/ anew from the phantom
	@$(BIN)/python -m lesionmap.phantom sample_data

skeleton-page: $(READY) ## draw the pictures of docs/skeleton.md anew
	@$(BIN)/python tests/skeleton_page.py

agreement-page: $(READY) ## draw the picture of docs/agreement.md anew
	@$(BIN)/python tests/agreement_page.py

shots: $(READY) ## take the pictures of the docs anew, on a virtual screen
	@.ci/system-packages screen
	@$(SCREEN) $(BIN)/python tests/plugin/shots.py

wheel: $(READY) ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist .

lock: $(READY) ## write requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate --all-extras --quiet \
	  --upgrade pyproject.toml -o requirements.lock
	@! grep -n '://' requirements.lock

clean: ## remove what was made, .venv too
	@rm -rf .venv build dist $(OUT) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .benchmarks .hypothesis
