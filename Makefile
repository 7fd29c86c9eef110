# SPDX-License-Identifier: MIT
#
# Builds everything into build/ and runs it.  `make help` lists the goals.
#
#   BUILD=dir   where this tree's own objects and images go (default build)
#   CACHE=dir   where the fetched and built third-party software goes (default build)
#   DEBUG=1     check every invariant while running; BUILD defaults to build/debug
#   SCHED=name  the scheduler library that the libos starts with (default rr)
#   V=1         print every command in full

CACHE ?= build
DEBUG ?= 0
COVERAGE ?= 0
ifeq ($(DEBUG),1)
BUILD ?= build/debug
else
BUILD ?= build
endif
SCHED ?= rr

TOP := $(CURDIR)
# One name for one folder: the files of dependencies (*.d) know their objects by it.  Scripts of the tests
# name it from the root, and what they had built would not be built again after a change.
override BUILD := $(patsubst $(TOP)/%,%,$(BUILD))

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n' $(1) '$(2)'
endif

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# As many recipes at a time as there are CPUs, unless -j says otherwise; makes that are called share them.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

.PHONY: all
all:

include mk/tools.mk
include mk/compile.mk
include mk/exo.mk
include mk/libos.mk
include $(wildcard mk/sysroot.mk mk/busybox.mk mk/apps.mk mk/image.mk mk/run.mk mk/test.mk mk/bench.mk)

.PHONY: clean distclean help
clean:
	$(Q)rm -rf $(addprefix $(BUILD)/,boot exo libos apps guest tests unit fuzz explore simulator rootfs iso lint debug) \
		$(addprefix $(BUILD)/,exo.elf libos.elf libos.module root.cpio root.list tests.cpio tests.list exo.iso) \
		$(addprefix $(BUILD)/,compile_commands.json trace.bin trace.json trace.svg trace.work)

distclean:
	$(Q)rm -rf build $(BUILD)

help:
	@sed -n 's/^#   //p' Makefile
	@sed -n 's/^## //p' mk/*.mk
