# SPDX-License-Identifier: MIT
#
# The programs of the root archive, built by exo-cc: apps/NAME.c or apps/NAME/*.c
# becomes /bin/NAME, tests/guest/NAME.c becomes /tests/NAME.  The unstripped file
# stays in build/, for gdb.

APP_CFLAGS := -std=gnu11 -O2 -g $(WARNINGS) -pthread
APP_DIRECTORIES := $(patsubst %/,%,$(dir $(wildcard apps/*/*.c)))
APPS := $(sort $(basename $(wildcard apps/*.c)) $(APP_DIRECTORIES))
GUEST_TESTS := $(sort $(basename $(wildcard tests/guest/*.c)))
# A program may have been one file before, as what was built then still says: it is made anew.
$(sort $(addsuffix .c,$(APP_DIRECTORIES))): ;
PROGRAMS := $(addprefix $(BUILD)/,$(APPS) $(GUEST_TESTS))

app_sources = $(or $(wildcard $(1).c),$(sort $(wildcard $(1)/*.c)))

define app_rule
$(BUILD)/$(1): $(call app_sources,$(1)) $(SYSROOT_READY)
	$$(call say,EXO-CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(EXO_CC) $$(APP_CFLAGS) $(if $(wildcard $(1)/*.c),-I$(1)) -Wp,-MMD,$$@.d,-MP,-MT,$$@ \
		-o $$@ $(call app_sources,$(1))
$(BUILD)/$(1).stripped: $(BUILD)/$(1)
	$$(Q)objcopy --strip-all $$< $$@
-include $(BUILD)/$(1).d
endef
$(foreach app,$(APPS) $(GUEST_TESTS),$(eval $(call app_rule,$(app))))

# It wants what the linker warns of.
$(BUILD)/tests/guest/executable_stack: private APP_CFLAGS += -Wl,--no-warn-execstack

## make apps     the programs of apps/ and tests/guest/
.PHONY: apps
apps: $(PROGRAMS)
all: apps
