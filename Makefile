# SPDX-License-Identifier: Apache-2.0
#
# A thin front of Meson. Variables:
#   DIR=/abs/dir     where `make prefix` installs a private, relocatable prefix
#   PREFIX=/usr/local, DESTDIR=   where `make install` installs
#   BUILD=build      build directory
#   SPYTHON_PYTHONS="/path/to/python3.11 ..."   interpreters to build for (default: all that are found)

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
export LC_ALL = C.UTF-8

.PHONY: help build prefix install demo test check bench bench-verity clean deps test-deps test-matrix

help:
	@echo "make demo              build, run the example, show what is recorded"
	@echo "make test              build and run all tests"
	@echo "make build             build only"
	@echo "make prefix DIR=/abs   a private installation"
	@echo "make install           into PREFIX ($(PREFIX))"
	@echo "make bench             measure, and write bench/RESULTS.md"
	@echo "make bench-verity      measure starts with fs-verity, in a virtual machine"
	@echo "make clean             remove what was built"

deps:
	@scripts/install-deps build

test-deps:
	@scripts/install-deps test

$(BUILD)/build.ninja: | deps
	@meson setup $(BUILD) >$(BUILD).log 2>&1 || { cat $(BUILD).log; rm -rf $(BUILD); exit 1; }
	@mv $(BUILD).log $(BUILD)/setup.log

build: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

prefix: build
	@test -n "$(DIR)" || { echo "make prefix: say where: make prefix DIR=/abs/dir" >&2; exit 64; }
	@scripts/make-prefix "$(BUILD)" "$(DIR)"

install: build
	@scripts/make-prefix "$(BUILD)" "$(DESTDIR)$(PREFIX)" "$(DESTDIR)$(filter-out /usr,$(PREFIX))"

demo: build
	@scripts/demo "$(BUILD)"

test: test-deps build
	@scripts/run-tests

bench: test-deps build
	@bench/run

bench-verity: test-deps build
	@bench/verity.py --report "$(BUILD)"

clean:
	rm -rf $(BUILD) build-*
