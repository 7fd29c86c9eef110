# SPDX-License-Identifier: MIT
#
# Which lines of the kernel and the libos the tests execute: a build that is hardly optimised, so
# that a line keeps its instructions, runs in machines that mark them (scripts/coverage).

ifeq ($(COVERAGE),1)
# Unoptimised on the host: there a line whose only work is a constant would have none left.
UNIT_CFLAGS += --coverage -O0
SIMULATOR_CFLAGS += --coverage -O0
.PHONY: coverage-run
coverage-run: all unit
	@$(APART) scripts/coverage/run $(BUILD) $(CACHE) $(TESTS)
endif

## make coverage lines and branches of exo/ and libos/ that the tests execute; TESTS='words' selects
.PHONY: coverage
coverage: all
	$(Q)+$(MAKE) COVERAGE=1 BUILD=$(BUILD)/coverage CACHE=$(CACHE) coverage-run
