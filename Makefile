# Everything a person runs. `make` alone lists it; each target sets up what it needs first.

# GNU make splits lists at spaces, so no path of this tree is kept in one: recipes run in the tree's
# folder, and values that a person gives reach them through the environment, never through the shell's
# or make's own parsing.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run flash test lint bench lock wheel clean

override export PHANTOM_MUSIC := $(if $(filter command,$(origin MUSIC)),$(value MUSIC))
override export PHANTOM_SECONDS := $(if $(filter command,$(origin SECONDS)),$(value SECONDS))
override export PHANTOM_TESTS := $(if $(filter command,$(origin TESTS)),$(value TESTS))
override export PHANTOM_PYTHON := $(if $(filter command environment,$(origin PYTHON)),$(value PYTHON))
override export PHANTOM_BOARD := $(if $(filter command,$(origin BOARD)),$(value BOARD))
override export PHANTOM_PORT := $(if $(filter command,$(origin PORT)),$(value PORT))
override export PHANTOM_FIRMWARE := $(if $(filter command,$(origin FIRMWARE)),$(value FIRMWARE))
override export PHANTOM_SHA256 := $(if $(filter command,$(origin SHA256)),$(value SHA256))
override export PHANTOM_SSID := $(if $(filter command,$(origin SSID)),$(value SSID))
override export PHANTOM_NAME := $(if $(filter command,$(origin NAME)),$(value NAME))
unexport MUSIC SECONDS TESTS PYTHON BOARD PORT FIRMWARE SHA256 SSID NAME

# The first Python that is new enough: the one asked for, this tree's own, the system's, or one by number.
define BOOTSTRAP
bootstrap() { \
  for python in "$$PHANTOM_PYTHON" .venv/bin/python python3 python3.13 python3.12 python3.11; do \
    if [ -n "$$python" ] && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
      then "$$python" tools/bootstrap.py "$$1"; return; fi; \
    if [ -n "$$PHANTOM_PYTHON" ]; then \
      echo "phantom: PYTHON=$$PHANTOM_PYTHON is no Python 3.11 or newer" >&2; return 2; fi; \
  done; \
  echo "phantom: Python 3.11 or newer is needed: install python3, or name one: make PYTHON=/path/to/python3" >&2; \
  return 2; \
}; bootstrap
endef

help:
	@echo 'Phantom: every room in time.'
	@echo
	@echo '  make run     play in four emulated rooms   MUSIC=~/Music  SECONDS=60'
	@echo '  make flash   make a board a speaker        BOARD=esp32_generic  PORT=/dev/ttyUSB0'
	@echo '                                             FIRMWARE=ESP32_GENERIC.bin  SSID=home  NAME=Kitchen'
	@echo '  make test    set up and pass the tests     TESTS=tests/firmware'
	@echo '  make lint    style, types, layers'
	@echo '  make bench   measure; results go to build/bench'
	@echo
	@echo '  make setup   only set up what playing needs'
	@echo '  make lock    move to newer packages and write them down'
	@echo '  make wheel   build the distribution into build/dist'
	@echo '  make clean   undo set-up; downloads stay in the cache folder'

setup:
	@$(BOOTSTRAP) run

setup-dev:
	@$(BOOTSTRAP) dev

run: setup
	@set --; \
	case "$$PHANTOM_MUSIC" in '~') PHANTOM_MUSIC=$$HOME;; '~/'*) PHANTOM_MUSIC=$$HOME/$${PHANTOM_MUSIC#'~/'};; esac; \
	if [ -n "$$PHANTOM_MUSIC" ]; then set -- "$$@" --music "$$PHANTOM_MUSIC"; fi; \
	if [ -n "$$PHANTOM_SECONDS" ]; then set -- "$$@" --seconds "$$PHANTOM_SECONDS"; fi; \
	if ! [ -w "$$HOME" ]; then export MPLCONFIGDIR="$$PWD/build/matplotlib"; fi; \
	exec .venv/bin/phantom demo "$$@"

# esptool and mpremote come with the development packages.
flash: setup-dev
	@if [ -z "$$PHANTOM_BOARD" ] || [ -z "$$PHANTOM_FIRMWARE" ]; then \
	  echo 'phantom: make flash BOARD=esp32_generic FIRMWARE=ESP32_GENERIC.bin [PORT=/dev/ttyUSB0] [SSID=home] [NAME=Kitchen]' >&2; \
	  echo 'phantom: docs/flashing.md tells where FIRMWARE comes from' >&2; exit 2; fi; \
	set -- --board "$$PHANTOM_BOARD" --firmware "$$PHANTOM_FIRMWARE"; \
	if [ -n "$$PHANTOM_PORT" ]; then set -- "$$@" --port "$$PHANTOM_PORT"; fi; \
	if [ -n "$$PHANTOM_SHA256" ]; then set -- "$$@" --sha256 "$$PHANTOM_SHA256"; fi; \
	if [ -n "$$PHANTOM_NAME" ]; then set -- "$$@" --name "$$PHANTOM_NAME"; fi; \
	if [ -n "$$PHANTOM_SSID" ]; then set -- "$$@" --ssid "$$PHANTOM_SSID"; else set -- "$$@" --no-wifi; fi; \
	exec .venv/bin/phantom flash "$$@"

# All of them in lanes (tests/lanes.py), those that keep time first; a part of them one by one.
test: setup-dev
	@if [ -n "$$PHANTOM_TESTS" ]; then exec .venv/bin/python -m pytest "$$PHANTOM_TESTS"; fi; \
	exec .venv/bin/python -m pytest --numprocesses 3 --no-loadscope-reorder --durations 25

lint: setup-dev
	@exec .venv/bin/python -m tools.lint

bench: setup-dev
	@for name in sync start streamer dsp discovery control flash search balance balance-faults; do .venv/bin/phantom bench "$$name" || exit; done

# uv only resolves here; pip installs. No index address gets into the files.
lock: setup-dev
	@exec .venv/bin/python -m tools.lock

wheel: setup-dev
	@exec .venv/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir build/dist --quiet .

clean:
	rm -rf build .venv dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
