# What is done with this project, one target each. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LEROBOT_VENV := .venv-lerobot
# The real LeRobot needs Python 3.12; a pyenv that has it but does not select it will do.
LEROBOT_PYTHON ?= $(shell for p in python3.12 $$HOME/.pyenv/versions/3.12*/bin/python3.12; do \
	$$p -c "" 2>/dev/null && echo $$p && break; done)

STERA_VENV := .venv-stera

.DEFAULT_GOAL := help
WHY ?=

.PHONY: help setup demo test test-long test-browser code-versions faults lint verify-lerobot verify-stera bench bench-bundle bench-lerobot dev clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,lint]'
	touch $@

# An .env that is there may hold a store of the user's own.
.env: $(VENV)/.installed
	test -f .env || $(BIN)/python -m episode_assets.instance --env-file .env
	touch .env

setup: .env ## create .venv and the .env that the command line, the UI and the daemon share

demo: setup ## make a demo recording and run every asset on it
	$(BIN)/episode-assets models fetch
	$(BIN)/episode-assets demo

test: setup ## the whole default test suite, in two processes
	$(BIN)/episode-assets models fetch
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0

test-long: setup ## the proofs that take minutes
	$(BIN)/episode-assets models fetch
	HYPOTHESIS_PROFILE=any_machine $(BIN)/python -m pytest -m long

test-browser: setup ## the UI in headless Chromium
	$(BIN)/episode-assets models fetch
	$(BIN)/python -m pytest -m browser

faults: setup ## three draws of 96 recordings, six of each with a fault, and what the reports say of them
	$(BIN)/python -m episode_assets_tests.qc.fault_suite --draws 3

lint: setup ## format check, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

$(LEROBOT_VENV)/.installed:
	test -n "$(LEROBOT_PYTHON)" || (echo 'no Python 3.12 found; name one: make verify-lerobot LEROBOT_PYTHON=...'; exit 2)
	test -x $(LEROBOT_VENV)/bin/python || $(LEROBOT_PYTHON) -m venv $(LEROBOT_VENV)
	$(LEROBOT_VENV)/bin/python -m pip install --quiet 'lerobot[dataset]==0.6.1' matplotlib
	touch $@

verify-lerobot: demo $(LEROBOT_VENV)/.installed ## read, edit and train on our datasets with the real LeRobot, in an environment of its own
	$(LEROBOT_VENV)/bin/python -m episode_assets_tests.lerobot.verify_with_lerobot --store data --checks opened loaded
	$(BIN)/python -m pytest -m lerobot episode_assets_tests/lerobot episode_assets_tests/video

# Its NumPy excludes newer reruns and pyarrows; left alone, pip tries every one of them.
$(STERA_VENV)/.installed:
	test -x $(STERA_VENV)/bin/python || $(PYTHON) -m venv $(STERA_VENV)
	$(STERA_VENV)/bin/python -m pip install --quiet 'stera-sdk==0.0.4' 'numpy<2' 'rerun-sdk==0.22.1' \
		'pyarrow<19' 'opencv-python<4.12' imageio-ffmpeg
	ln -sf "$$($(STERA_VENV)/bin/python -c 'import imageio_ffmpeg as f; print(f.get_ffmpeg_exe())')" \
		$(STERA_VENV)/bin/ffmpeg
	touch $@

verify-stera: setup $(STERA_VENV)/.installed ## compare our bundle with the export of the real Stera SDK, in an environment of its own
	$(BIN)/episode-assets models fetch
	STERA_PYTHON=$(STERA_VENV)/bin/python $(BIN)/python -m pytest -m long episode_assets_tests/stera

bench: setup ## print the measured claims
	$(BIN)/episode-assets models fetch
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/video.py
	$(BIN)/python benchmarks/depth_packing.py

bench-bundle: setup $(STERA_VENV)/.installed ## CPU time, memory and quality of a bundle beside an export of the Stera SDK
	$(BIN)/python benchmarks/bundle.py --stera $(STERA_VENV)

bench-lerobot: setup $(LEROBOT_VENV)/.installed ## speed and memory of our LeRobot datasets beside LeRobot's own writer
	$(BIN)/python benchmarks/lerobot.py --lerobot $(LEROBOT_VENV)

dev: setup ## the Dagster UI and the daemon on http://localhost:3000
	set -a; . ./.env; set +a; $(BIN)/dagster dev

code-versions: setup ## record that changed code gives the same output: make code-versions WHY="..."
	test -n "$(WHY)" || (echo 'say why: make code-versions WHY="..."'; exit 2)
	$(BIN)/python -m episode_assets_tests.code_closure "$(WHY)"

clean: ## remove environments and caches, never the store
	rm -rf $(VENV) $(LEROBOT_VENV) $(STERA_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
