# SPDX-License-Identifier: MIT
#
# Shipped code in every order of its threads: tests/explore.  A case's opening
# comment names the sources under test; they and the case are compiled as for the
# thread sanitiser, whose functions tests/explore/memory.c provides.

EXPLORED := $(patsubst %_case.c,%,$(notdir $(wildcard tests/explore/*_case.c)))
EXPLORE_CFLAGS := -std=gnu11 -g -O1 $(WARNINGS) -Iinclude -iquote tests/explore/host \
	-iquote tests/explore -iquote exo -iquote libos
EXPLORE_ENGINE := $(addprefix $(BUILD)/explore/,engine.o memory.o schedule.o)

$(EXPLORE_ENGINE): $(BUILD)/explore/%.o: tests/explore/%.c mk/explore.mk
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EXPLORE_CFLAGS) -O2 -flto -U_FORTIFY_SOURCE -MMD -MP -c -o $@ $<
-include $(EXPLORE_ENGINE:.o=.d)

# $(call explore_rules,name,sources under test)
define explore_rules
$(BUILD)/explore/$(1)/%.o: %.c mk/explore.mk
	$$(call say,HOSTCC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(EXPLORE_CFLAGS) -fsanitize=thread -Wno-tsan -MMD -MP -c -o $$@ $$<
$(1)_EXPLORED := $(patsubst %.c,$(BUILD)/explore/$(1)/%.o,$(2) tests/explore/$(1)_case.c)
$(BUILD)/explore/$(1)_case: $$($(1)_EXPLORED) $(EXPLORE_ENGINE)
	$$(call say,HOSTLD,$$@)
	$$(Q)$$(CC) -O2 -flto -flto-partition=one -no-pie -o $$@ $$^
-include $$($(1)_EXPLORED:.o=.d)
endef
$(foreach name,$(EXPLORED),$(eval $(call explore_rules,$(name),\
	$(call sources_under_test,tests/explore/$(name)_case.c))))

EXPLORE_CASES := $(addsuffix _case,$(addprefix $(BUILD)/explore/,$(EXPLORED)))
unit: $(EXPLORE_CASES)

EXPLORE_SECONDS ?= 60
EXPLORE_SEED ?=

## make explore  all cases of tests/explore, then EXPLORE_SECONDS=60 each of schedules beyond their
##               bounds, by chance; EXPLORE_SEED=n repeats one
.PHONY: explore
explore: $(EXPLORE_CASES)
	@status=0; for program in $(EXPLORE_CASES); do \
		EXPLORE_SECONDS=$(EXPLORE_SECONDS) EXPLORE_SEED=$(EXPLORE_SEED) $$program || status=1; \
	done; exit $$status
