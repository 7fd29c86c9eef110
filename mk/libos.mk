# SPDX-License-Identifier: MIT
#
# The library OS: libos/*/ and every scheduler library into libos.elf.

libos_SOURCES := $(filter-out libos/api/%,$(sort $(wildcard libos/*/*.c libos/*/*.asm)))
# Faults and races that are made on purpose: not in unit tests, which have invariants checked, too.
ifeq ($(DEBUG),1)
COMMON_CFLAGS += -DEXO_INJECT=1
else
libos_SOURCES := $(filter-out libos/debug/%,$(libos_SOURCES))
endif
libos_CFLAGS := $(COMMON_CFLAGS) -fpie -fno-jump-tables -Ilibos -include mk/hidden.h
libos_NASMFLAGS := -Ilibos/ -Iinclude/

$(eval $(call compile_rules,libos))
$(eval $(call link_rules,libos,$(BUILD)/libos.elf))

# What is large and seldom called is not optimised as one with the rest, which would have less inlined for it.
$(call objects,$(wildcard libos/fs/socket*.c)): EXTRA_CFLAGS = -fno-lto

# Only the sources that name the default scheduler depend on SCHED.
SCHED_USERS := $(call objects,$(shell grep -l LIBOS_DEFAULT_SCHED /dev/null $(filter %.c,$(libos_SOURCES))))
$(SCHED_USERS): EXTRA_CFLAGS = -DLIBOS_DEFAULT_SCHED='"$(SCHED)"'
$(SCHED_USERS): $(BUILD)/libos/default-sched
$(BUILD)/libos/default-sched: FORCE
	@mkdir -p $(@D)
	@test -e libos/schedulers/$(SCHED).c || { \
		echo "SCHED=$(SCHED): there is no libos/schedulers/$(SCHED).c" >&2; exit 1; }
	@echo '$(SCHED)' | cmp -s - $@ || echo '$(SCHED)' > $@

## make libos    the library OS alone
.PHONY: libos
libos: $(BUILD)/libos.elf
ifneq ($(libos_SOURCES),)
all: $(BUILD)/libos.elf
endif
