# SPDX-License-Identifier: MIT
#
# Scheduler libraries as files that can be loaded, built by exo-sched: libos/schedulers/NAME.c
# becomes /lib/sched/NAME.so, tests/schedulers/NAME.c becomes /tests/NAME.so.  The unstripped
# file stays in build/, for gdb.

EXO_SCHED := $(CACHE)/bin/exo-sched
SCHEDULER_SOURCES := $(sort $(basename $(wildcard libos/schedulers/*.c tests/schedulers/*.c)))
QUIET := tests/schedulers/quiet
SCHEDULERS := $(SCHEDULER_SOURCES) $(QUIET)
SCHEDULER_FILES := $(patsubst %,$(BUILD)/%.so,$(SCHEDULERS))
BUILD_SCHEDULER = $(EXO_SCHED) $(if $(filter 1,$(WERROR)),-Werror) -Wp,-MMD,$@.d,-MP,-MT,$@ -o $@

$(patsubst %,$(BUILD)/%.so,$(SCHEDULER_SOURCES)): $(BUILD)/%.so: %.c $(EXO_SCHED) $(SYSROOT_READY)
	$(call say,SCHED,$@)
	@mkdir -p $(@D)
	$(Q)$(BUILD_SCHEDULER) $<
-include $(SCHEDULER_FILES:=.d)

# What an author starts with, unchanged.
$(BUILD)/$(QUIET).so: $(CACHE)/bin/new-scheduler $(EXO_SCHED) $(SYSROOT_READY)
	$(call say,SCHED,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $(@:.so=.c) && cd $(@D) && $(abspath $<) $(notdir $(QUIET))
	$(Q)$(BUILD_SCHEDULER) $(@:.so=.c)

$(patsubst %,$(BUILD)/%.stripped.so,$(SCHEDULERS)): %.stripped.so: %.so
	$(Q)objcopy --strip-debug $< $@

## make schedulers  the scheduler libraries as files
.PHONY: schedulers
schedulers: $(SCHEDULER_FILES)
all: schedulers $(CACHE)/bin/new-scheduler
