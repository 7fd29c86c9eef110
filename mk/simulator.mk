# SPDX-License-Identifier: MIT
#
# Scheduler libraries on the host: each is linked with the simulator of
# tests/simulator into a program, build/simulator/NAME, with sanitisers.

SIMULATOR_CFLAGS := -std=gnu11 -g -O1 $(WARNINGS) -fsanitize=address,undefined \
	-fno-sanitize-recover=all -DEXO_DEBUG=1 -Iinclude -iquote libos -iquote tests/simulator
SIMULATOR_OBJECTS := $(patsubst %.c,$(BUILD)/simulator/objects/%.o,\
	$(notdir $(wildcard tests/simulator/*.c)) queues.c ordered.c patience.c weight.c)
SIMULATED := $(patsubst %.c,%,$(notdir $(wildcard libos/schedulers/*.c)))
BROKEN := $(patsubst tests/simulator/%.c,%,$(wildcard tests/simulator/broken/*.c))

vpath %.c tests/simulator libos/sched libos/core

$(SIMULATOR_OBJECTS): $(BUILD)/simulator/objects/%.o: %.c mk/simulator.mk
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SIMULATOR_CFLAGS) -MMD -MP -c -o $@ $<
-include $(SIMULATOR_OBJECTS:.o=.d)

# $(call simulated_rule,name,source)
define simulated_rule
$(BUILD)/simulator/$(1): $(2) $(SIMULATOR_OBJECTS)
	$$(call say,HOSTCC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(SIMULATOR_CFLAGS) -Wp,-MMD,$$@.d,-MP,-MT,$$@ -o $$@ $(2) $(SIMULATOR_OBJECTS)
-include $(BUILD)/simulator/$(1).d
endef
$(foreach name,$(SIMULATED),$(eval $(call simulated_rule,$(name),libos/schedulers/$(name).c)))
$(foreach name,$(BROKEN),$(eval $(call simulated_rule,$(name),tests/simulator/$(name).c)))

## make simulators       build/simulator/NAME for each library: `NAME WORK` prints a timeline
## make check-scheduler FILE=mine.c      the conformance suite, for any scheduler library;
##                       WORK='[--cpus N] build/trace.work': that work's timeline under it instead
.PHONY: simulators check-scheduler
simulators: $(addprefix $(BUILD)/simulator/,$(SIMULATED) $(BROKEN))
unit: simulators

# By the environment, where what is given to make is: a name may have quotes.
check-scheduler: $(SIMULATOR_OBJECTS) $(CACHE)/bin/exo-sched $(SYSROOT_READY)
	@CC='$(CC)' HOST_CFLAGS='$(SIMULATOR_CFLAGS)' EXO_SCHED=$(CACHE)/bin/exo-sched \
		scripts/check-scheduler $(BUILD)/simulator/objects "$${FILE-}" "$${WORK-}"
