# From a fresh clone, with only Python, git and make: `make demo`, then `make test`.
# PIP_FIND_LINKS (folders of wheels) and pip's other settings are honoured.

PYTHON ?= python3
TORCH  ?= torch==2.13.0
ARGS   ?=

# For train-demo and gpu-train: a folder of train.npz and test.npz.
DATA   ?= $(firstword $(wildcard data/cifar10 ../shared/data/cifar10))

VENV := .venv
BIN  := $(VENV)/bin

# pip takes PIP_FIND_LINKS *instead of* the find-links in its configuration; both are wanted.
LINKS = PIP_FIND_LINKS="$$PIP_FIND_LINKS $$($(BIN)/python -m pip config get global.find-links 2>/dev/null)"
PIP   = $(LINKS) $(BIN)/python -m pip --disable-pip-version-check
# Its warnings are shown when it fails, not before.
quiet_install = $(PIP) install --quiet $(1) 2> $(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }

# Each step of the set-up leaves a file in .venv, so that it runs once. The first is also pip's
# constraint: it holds the exact torch installed, which no dependency may replace.
checksum   = $(shell printf '%s' '$(1)' | cksum | cut -d ' ' -f 1)
PINNED     := $(VENV)/.ready-torch-$(call checksum,$(TORCH)).txt
EXTENSIONS := $(VENV)/.ready-extensions-$(call checksum,$(PIP_FIND_LINKS))

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo train-demo test quick lint fix docs bench speed gpu gpu-train ext clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/.ready-plot $(EXTENSIONS)  ## tokenize the pictures in examples/pictures into out/
	@cat $(EXTENSIONS)
	@$(BIN)/spitgraph warm-up
	@$(BIN)/python examples/demo.py $(ARGS)

train-demo: $(VENV)/.ready-fast,train $(EXTENSIONS)  ## train on CIFAR-10 (DATA=FOLDER, ARGS="--tokenizer patch")
	@$(if $(DATA),,$(error No pictures: make train-demo DATA=FOLDER; tools/cifar10.py makes such a folder))
	@$(BIN)/spitgraph warm-up
	@$(BIN)/spitgraph train $(DATA) --recipe small-pictures -o out/train-$(shell date +%Y%m%d-%H%M%S) $(ARGS)

test: $(VENV)/.ready-test $(EXTENSIONS)  ## run the tests on all cores (ARGS="-k name" for pytest)
	@cat $(EXTENSIONS)
	@OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n auto $(ARGS)

quick: $(VENV)/.ready-test $(EXTENSIONS)  ## run what is fast of the tests, on all cores: about a minute
	@OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n auto -m "not slow" \
		--hypothesis-profile=quick $(ARGS)

lint: $(VENV)/.ready-lint  ## check style and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy spitgraph

fix: $(VENV)/.ready-lint  ## correct style as far as that goes by itself
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

docs: $(VENV)/.ready-docs  ## build the documentation as a site: out/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict $(ARGS)
	@echo "Open out/site/index.html."

bench: $(VENV)/.ready-bench $(EXTENSIONS)  ## measure partition quality (ARGS for the script)
	@cat $(EXTENSIONS)
	@$(BIN)/python benchmarks/partition_quality.py $(ARGS)

speed: $(VENV)/.ready-bench $(EXTENSIONS)  ## measure speed and memory (ARGS for the script)
	@$(BIN)/spitgraph warm-up
	@$(BIN)/python benchmarks/speed.py $(ARGS)

# With the packages of PYTHON where it has them, as on a machine with a GPU and no network.
gpu:  ## check and measure on a GPU, or in the interpreter (ARGS for the script)
	@if $(PYTHON) -c 'import torch, torch_geometric, triton, numba, pytest' 2> /dev/null; \
	then $(PYTHON) benchmarks/gpu.py $(ARGS); \
	else $(MAKE) --no-print-directory $(VENV)/.ready-gpu && $(BIN)/python benchmarks/gpu.py $(ARGS); fi

# Two seeds of each tokenizer, longer than train-demo; tokens are made on the GPU.
GPU_TRAIN = benchmarks/training.py $(DATA) --seeds 0 1 --epochs 40 -o out/gpu-train \
	--accelerator gpu --tokenize device --workers 4 --batch-size 256 --learning-rate 2e-3 $(ARGS)

gpu-train:  ## the same on one GPU, three tokenizers beside each other: under 10 minutes
	@$(if $(DATA),,$(error No pictures: make gpu-train DATA=FOLDER; tools/cifar10.py makes such a folder))
	@if $(PYTHON) -c 'import torch, torch_geometric, triton, lightning, scipy, pandas' 2> /dev/null; \
	then $(PYTHON) $(GPU_TRAIN); \
	else $(MAKE) --no-print-directory $(VENV)/.ready-train $(VENV)/.ready-bench && $(BIN)/python $(GPU_TRAIN); fi

ext: $(EXTENSIONS)  ## compile torch-scatter and torch-cluster: about 15 minutes, a C++ compiler
	@$(call quiet_install,setuptools wheel)
	@$(PIP) install --no-build-isolation --no-cache-dir --no-binary torch-scatter,torch-cluster \
		-c $(PINNED) torch-scatter torch-cluster
	@rm -f $(VENV)/.ready-extensions-*

clean:  ## remove everything that these commands made, .venv included
	rm -rf $(VENV) out build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PINNED):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("spitgraph needs Python 3.10 or newer; name one with: make PYTHON=python3.12 ...")'
	@echo "Creating $(VENV) with $(TORCH): a few minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.ready-*
	@$(call quiet_install,'$(TORCH)')
	@$(BIN)/python -c 'from importlib.metadata import version; print("torch==" + version("torch"))' > $@

$(VENV)/.ready-%: pyproject.toml $(PINNED)
	@echo "Installing spitgraph[$*]"
	@$(call quiet_install,-c $(PINNED) --editable '.[$*]')
	@touch $@

$(EXTENSIONS): $(PINNED) tools/compiled_extensions.py
	@$(LINKS) $(BIN)/python tools/compiled_extensions.py > $@
