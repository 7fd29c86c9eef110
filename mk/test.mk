# SPDX-License-Identifier: MIT
#
# The tests (tests/README.md), and what looks at the source.

# A unit test's opening comment names the sources under test; they are compiled with
# it, unless it includes them, under the address and undefined-behaviour sanitisers.
UNIT_TESTS := $(sort $(basename $(notdir $(wildcard tests/unit/*_test.c))))
UNIT_CFLAGS := -std=gnu11 -g -O1 $(WARNINGS) -fsanitize=address,undefined \
	-fno-sanitize-recover=all -pthread -DEXO_DEBUG=1 -Iinclude -iquote exo -iquote libos
sources_under_test = $(shell sed -n '1,12p' $(1) | grep -oE '\b(exo|libos|apps)/[a-z0-9_/]+\.c\b' | \
	while read -r source; do grep -q "^.include .*$$source\"" $(1) || echo "$$source"; done)

# $(call unit_rule,name,sources under test)
define unit_rule
$(BUILD)/unit/$(1): tests/unit/$(1).c $(2)
	$$(call say,HOSTCC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(UNIT_CFLAGS) -MM -MP -MT $$@ tests/unit/$(1).c $(2) > $$@.d
	$$(Q)$$(CC) $$(UNIT_CFLAGS) -o $$@ tests/unit/$(1).c $(2)
-include $(BUILD)/unit/$(1).d
endef
$(foreach test,$(UNIT_TESTS),\
	$(eval $(call unit_rule,$(test),$(call sources_under_test,tests/unit/$(test).c))))

## make unit     build the unit tests
.PHONY: unit
unit: $(addprefix $(BUILD)/unit/,$(UNIT_TESTS))

# A make that a test calls is not one of ours, and shares no jobs with us.
APART := env -u MAKEFLAGS -u MAKELEVEL
TEST_RUN = $(APART) tests/run --build $(BUILD) --cache $(CACHE) $(if $(JOBS),-j $(JOBS))

# The guest tests run once more with every invariant checked.
ifneq ($(DEBUG),1)
DEBUG_BUILD := $(BUILD)/debug
.PHONY: debug
debug: all
	$(Q)+$(MAKE) DEBUG=1 BUILD=$(DEBUG_BUILD) CACHE=$(CACHE) all
test stress: debug
endif

## make test     every test; the last line is 'N passed, N failed'.  TESTS='words' selects
## make check    the two-minute part of them
## make stress   tests that run until they have seen enough; likewise fuzz
.PHONY: test check stress fuzz
test: all unit
	@$(TEST_RUN) $(if $(DEBUG_BUILD),--debug-build $(DEBUG_BUILD)) $(TESTS)
check: all unit
	@$(TEST_RUN) --tag check $(TESTS)
stress fuzz: all unit
	@$(TEST_RUN) --tag $@ $(TESTS)

## make mutants  each hazard put back, and found: a table.  TESTS='words' selects
.PHONY: mutants
mutants: all
	@TOP=$(TOP) BUILD=$(BUILD) $(APART) tests/mutants/mutants.py $(TESTS)

## make models   the protocols' models, searched by spin up to their full bounds, as a table
.PHONY: models
models:
	@TOP=$(TOP) BUILD=$(BUILD) tests/models/models.py --full

## make lint     shellcheck, cppcheck and clang-tidy over the source
.PHONY: lint
lint: $(BUILD)/compile_commands.json
	@scripts/deps lint
	@scripts/lint $(BUILD)

include mk/simulator.mk
include mk/explore.mk
include mk/fuzz.mk
include mk/coverage.mk
