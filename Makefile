# Each target installs what it needs into .venv. Another Python: make test PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/ready
WORKERS ?= -n 3 --dist worksteal
FAST_WORKERS ?= -n 2 --dist worksteal
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=  # modules are compiled once: TensorFlow then loads in half the time

.PHONY: demo help test test-fast test-quick test-arm boards lint wheel reference-model reference-small readme lock clean

demo: $(READY)  ## train, convert, check, measure: the main job
	$(RUN) -m benchmarks.demo

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

test: $(READY)  ## all tests; with MNIST_DIR set they train on MNIST too
	$(RUN) -m pytest $(WORKERS)

test-fast: $(READY)  ## all tests that train and convert nothing, in a minute; TESTS=tests/test_files.py: only these
	TEST_FAST=1 $(RUN) -m pytest $(FAST_WORKERS) $(TESTS)

test-quick: $(READY)  ## without MNIST, other networks and fresh environments; TESTS=tests/test_train.py: only these
	$(RUN) -m pytest $(WORKERS) -m "not slow" $(TESTS)

test-arm: boards  ## the wheel and C on emulated Raspberry Pis; C on a microcontroller too (qemu-system-arm)
	$(RUN) -m pytest $(WORKERS) tests/arm

boards: $(READY)  ## emulated Raspberry Pis; needs root, qemu-user, debootstrap and gcc
	$(RUN) -m benchmarks.boards

lint: $(READY)  ## format, lint and types
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy

wheel: $(READY)  ## dist/edgecnn-*.whl, the one thing a device needs
	$(RUN) -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist ./runtime

reference-model: $(READY)  ## train the model in the wheel again: recipe best on MNIST, 40 minutes with its teachers on two cores
	$(RUN) -m train --recipe best --dataset mnist --seed 0 --output artifacts/reference
	$(RUN) -m convert.tflite artifacts/reference/model.keras
	cp artifacts/reference/model_int8.tflite runtime/edgecnn/mnist_int8.tflite
	$(RUN) -m benchmarks.readme

reference-small: $(READY)  ## shrink that model: at most 10,000 parameters and 190,000 multiply-accumulates, for the wheel too
	$(RUN) -m train.shrink artifacts/reference/model.keras --recipe small --budget macs=190k,params=10k --seed 1 --output artifacts/reference/small
	cp artifacts/reference/small/macs-190k-params-10k/model_int8.tflite runtime/edgecnn/mnist_small_int8.tflite
	$(RUN) -m benchmarks.readme

readme: $(READY)  ## the tables of README.md and docs/, from benchmarks/reference
	$(RUN) -m benchmarks.readme

COMPILE := uv pip compile --generate-hashes --no-header --quiet
BOARD := $(COMPILE) --no-annotate --constraint requirements/workstation.txt
# 32-bit ARM: the rest comes from Debian, as workstation/boards.py says.
ARMHF := tflite-runtime paho-mqtt prometheus-client starlette uvicorn anyio click h11 idna typing-extensions
lock:  ## write requirements/ again, for the workstation and for boards (needs uv)
	$(COMPILE) pyproject.toml --group dev --universal --python-version 3.11 -o requirements/workstation.txt
	$(BOARD) runtime/pyproject.toml --extra litert --extra tflite --extra onnx --extra camera --extra mqtt --extra serve --python-version 3.11 \
	  --python-platform aarch64-manylinux_2_36 -o requirements/board-bookworm-arm64.txt
	$(BOARD) runtime/pyproject.toml --extra litert --extra onnx --extra camera --extra mqtt --extra serve --python-version 3.13 \
	  --python-platform aarch64-manylinux_2_40 -o requirements/board-trixie-arm64.txt
	$(BOARD) runtime/pyproject.toml --extra litert --extra tflite --extra onnx --extra camera --extra mqtt --extra serve --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_36 -o requirements/board-bookworm-amd64.txt
	echo pip | $(COMPILE) - --no-annotate --no-deps --python-version 3.10 -o requirements/bundle.txt
	printf 'openvino\nMNN\nncnn\n' | $(BOARD) - --python-version 3.11 -o requirements/peers.txt
	printf '%s\n' $(ARMHF) | $(BOARD) - --no-deps --python-version 3.11 -o requirements/board-bookworm-armhf.txt
	echo onnxruntime==1.21.0 | $(COMPILE) - --no-annotate --no-deps --python-version 3.11 \
	  -o requirements/board-onnxruntime-1.21.0.txt

clean:  ## remove .venv and dist
	rm -rf $(VENV) dist

$(READY): requirements/workstation.txt runtime/pyproject.toml
	@echo "Setting up $(VENV): about 1 GB of packages, once"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --no-compile --require-hashes -r requirements/workstation.txt
	@$(RUN) -m pip install --quiet --no-build-isolation --no-deps --editable ./runtime
	@touch $@
