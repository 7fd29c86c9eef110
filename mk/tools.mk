# SPDX-License-Identifier: MIT
#
# The programs that the build calls.  Including tools.stamp makes `make` run
# scripts/deps, which installs what is missing, before it looks at any goal.

CC := gcc
LD := ld
AR := ar
NM := nm
NASM := nasm

ifeq ($(filter clean distclean help,$(MAKECMDGOALS)),)
include $(CACHE)/tools.stamp
endif

$(CACHE)/tools.stamp: scripts/deps
	@mkdir -p $(@D)
	@scripts/deps
	@touch $@
