# SPDX-License-Identifier: MIT
#
# The kernel: boot/ and exo/ into exo.elf.

exo_SOURCES := $(filter-out exo/offsets.c,$(sort $(wildcard boot/*.asm exo/*.c exo/x86/*.c exo/x86/*.asm)))
ifeq ($(DEBUG),1)
exo_SOURCES += $(sort $(wildcard exo/debug/*.c))
endif
# No parts of functions apart: a panic's backtrace names functions.
exo_CFLAGS := $(COMMON_CFLAGS) -fno-pic -mcmodel=kernel -fno-reorder-blocks-and-partition \
	--param=inline-unit-growth=50 -Iexo
exo_NASMFLAGS := -Iexo/ -Iboot/ -Iinclude/

$(eval $(call compile_rules,exo))
$(eval $(call link_rules,exo,$(BUILD)/exo.elf))

## make exo      the kernel alone
.PHONY: exo
exo: $(BUILD)/exo.elf
all: $(BUILD)/compile_commands.json
ifneq ($(exo_SOURCES),)
all: $(BUILD)/exo.elf
endif
