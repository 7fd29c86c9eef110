# SPDX-License-Identifier: MIT
#
# How one source file becomes one object, for the kernel and the libos alike.
# Each of the two sets <part>_CFLAGS, <part>_NASMFLAGS and <part>_SOURCES.

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter
OPTIMISE := -O2
COMMON_CFLAGS = -std=gnu11 $(OPTIMISE) -g -ffreestanding -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-common -fcf-protection=none $(WARNINGS) -Iinclude
# The C files of a part are optimised as one: a function of three lines in another file costs no call.
# The debug build does without, for the sake of its backtraces; so does that for coverage.
ifeq ($(DEBUG),1)
COMMON_CFLAGS += -DEXO_DEBUG=1
WHOLE :=
else ifeq ($(COVERAGE),1)
OPTIMISE := -Og
WHOLE :=
else
WHOLE := -flto=auto --param max-inline-insns-auto=60 --param early-inlining-insns=30 \
	-ffunction-sections -fdata-sections
endif
ifeq ($(WERROR),1)
COMMON_CFLAGS += -Werror
endif

COMMON_LDFLAGS := -nostdlib -static -z noexecstack -z max-page-size=4096 --build-id=none \
	--no-warn-rwx-segments

objects = $(addsuffix .o,$(addprefix $(BUILD)/,$(1)))

# $(call compile_rules,part): the rules for every C and nasm source of a part.
# A part's offsets.c holds DEFINE(NAME, value) lines (mk/offsets.h); it becomes
# offsets.inc, which the part's nasm sources %include for constants known to C.
define compile_rules
$(1)_FLAGS_STAMP := $(BUILD)/$(1)/flags
$(1)_C_OBJECTS := $(call objects,$(filter %.c,$($(1)_SOURCES)))
$(1)_ASM_OBJECTS := $(call objects,$(filter %.asm,$($(1)_SOURCES)))
$(1)_OBJECTS := $$($(1)_C_OBJECTS) $$($(1)_ASM_OBJECTS)
$(1)_OFFSETS := $(if $(wildcard $(1)/offsets.c),$(BUILD)/$(1)/offsets.inc)

$$($(1)_C_OBJECTS): $(BUILD)/%.c.o: %.c $$($(1)_FLAGS_STAMP)
	$$(call say,CC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$($(1)_CFLAGS) $$(WHOLE) $$(EXTRA_CFLAGS) -MMD -MP -c -o $$@ $$<

$$($(1)_ASM_OBJECTS): $(BUILD)/%.asm.o: %.asm $$($(1)_FLAGS_STAMP) $$($(1)_OFFSETS)
	$$(call say,NASM,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(NASM) -f elf64 -g -F dwarf -w-reloc-rel-dword $$($(1)_NASMFLAGS) -I$(BUILD)/$(1)/ -I$$(<D)/ \
		-MD $$(@:.o=.d) -MP -MT $$@ -o $$@ $$<

$(BUILD)/$(1)/offsets.inc: $(1)/offsets.c mk/offsets.h $$($(1)_FLAGS_STAMP)
	$$(call say,OFFSETS,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$($(1)_CFLAGS) -include mk/offsets.h -MMD -MP -MT $$@ -MF $$(@:.inc=.d) \
		-S -o $$(@:.inc=.s) $$<
	$$(Q)sed -n 's/^.*\.ascii "->\([^ ]*\) \$$$$*\(-\{0,1\}[0-9]*\) .*"$$$$/%define \1 \2/p' \
		$$(@:.inc=.s) > $$@

# Written only when the flags change, so that DEBUG, WERROR and the like rebuild.
$$($(1)_FLAGS_STAMP): FORCE
	@mkdir -p $$(@D)
	@echo '$$($(1)_CFLAGS) $$(WHOLE) $$($(1)_NASMFLAGS)' | cmp -s - $$@ || \
		echo '$$($(1)_CFLAGS) $$(WHOLE) $$($(1)_NASMFLAGS)' > $$@

-include $$($(1)_OBJECTS:.o=.d) $(BUILD)/$(1)/offsets.d
endef

# $(call link_rules,part,output): link once to learn the addresses of the
# functions, turn them into a table (scripts/mksymbols), and link again with it.
# The table lies behind the text, so it moves no function.
define link_rules
$(2): $$($(1)_OBJECTS) $(1)/$(1).ld $$(wildcard mk/hot-*.ld) scripts/mksymbols
	$$(call say,LD,$$@)
	$$(Q)scripts/mksymbols --empty > $(BUILD)/$(1)/symbols.asm
	$$(Q)$$(NASM) -f elf64 -o $(BUILD)/$(1)/symbols.o $(BUILD)/$(1)/symbols.asm
	$$(Q)$$(CC) $$($(1)_CFLAGS) $$(WHOLE) -nostdlib -r $$(if $$(WHOLE),-flinker-output=nolto-rel) \
		-o $(BUILD)/$(1)/whole.o $$($(1)_C_OBJECTS)
	$$(Q)$$(LD) $$(COMMON_LDFLAGS) -T $(1)/$(1).ld -o $(BUILD)/$(1)/unsymbolised.elf \
		$(BUILD)/$(1)/whole.o $$($(1)_ASM_OBJECTS) $(BUILD)/$(1)/symbols.o
	$$(Q)$$(NM) -n $(BUILD)/$(1)/unsymbolised.elf | scripts/mksymbols > $(BUILD)/$(1)/symbols.asm
	$$(Q)$$(NASM) -f elf64 -o $(BUILD)/$(1)/symbols.o $(BUILD)/$(1)/symbols.asm
	$$(Q)$$(LD) $$(COMMON_LDFLAGS) -T $(1)/$(1).ld -Map $(BUILD)/$(1)/$(1).map -o $$@ \
		$(BUILD)/$(1)/whole.o $$($(1)_ASM_OBJECTS) $(BUILD)/$(1)/symbols.o
endef

.PHONY: FORCE
FORCE:

# For editors and clang-tidy: one entry per C source, with the flags used here that clang knows.
HOSTED_CFLAGS = $(APP_CFLAGS) -nostdinc -isystem $(SYSROOT)/include
$(BUILD)/compile_commands.json: Makefile scripts/mkcommands $(wildcard mk/*.mk boot exo exo/x86 \
		libos libos/*/. apps apps/*/. tests/guest tests/unit)
	@mkdir -p $(@D)
	@{ for source in $(sort $(filter %.c,$(exo_SOURCES)) $(wildcard exo/debug/*.c)); do \
		echo "$$source $(filter-out -fno-reorder-blocks-and-partition --param=%,$(exo_CFLAGS))"; done; \
	   for source in $(sort $(filter %.c,$(libos_SOURCES)) $(wildcard libos/debug/*.c)); do echo "$$source $(libos_CFLAGS)"; done; \
	   for source in $(foreach program,$(APPS) $(GUEST_TESTS),$(call app_sources,$(program))); do \
		echo "$$source $(HOSTED_CFLAGS) -I$$(dirname $$source)"; done; \
	   for source in $(wildcard tests/unit/*.c); do echo "$$source $(UNIT_CFLAGS)"; done; } \
		| scripts/mkcommands $(TOP) > $@
