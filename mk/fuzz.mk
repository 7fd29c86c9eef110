# SPDX-License-Identifier: MIT
#
# Fuzzers on the host (tests/fuzz/fuzz.h).  Each NAME_fuzz.c is built by gcc with a driver
# of its own, for `make test`; and by clang with libFuzzer, when `make fuzz` asks for it.

FUZZERS := $(patsubst %_fuzz.c,%,$(notdir $(wildcard tests/fuzz/*_fuzz.c)))
FUZZ_CFLAGS := $(UNIT_CFLAGS) -iquote tests/fuzz -iquote tests/unit
LIBFUZZER_CFLAGS := $(FUZZ_CFLAGS) -fsanitize=fuzzer -Wno-unknown-warning-option

FUZZ_OBJECTS := $(addprefix $(BUILD)/fuzz/,driver.o fuzz.o)

$(FUZZ_OBJECTS): $(BUILD)/fuzz/%.o: tests/fuzz/%.c tests/fuzz/fuzz.h mk/fuzz.mk
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(FUZZ_CFLAGS) -c -o $@ $<

# $(call fuzz_rules,name,sources under test)
define fuzz_rules
$(BUILD)/fuzz/$(1)_fuzz: tests/fuzz/$(1)_fuzz.c $(2) $(FUZZ_OBJECTS)
	$$(call say,HOSTCC,$$@)
	$$(Q)$$(CC) $$(FUZZ_CFLAGS) -MM -MP -MT $$@ tests/fuzz/$(1)_fuzz.c $(2) > $$@.d
	$$(Q)$$(CC) $$(FUZZ_CFLAGS) -o $$@ tests/fuzz/$(1)_fuzz.c $(2) $(FUZZ_OBJECTS)
$(BUILD)/fuzz/$(1)_libfuzzer: tests/fuzz/$(1)_fuzz.c tests/fuzz/fuzz.c tests/fuzz/fuzz.h $(2) \
		mk/fuzz.mk | $(BUILD)/fuzz/tools.stamp
	$$(call say,CLANG,$$@)
	$$(Q)clang $$(LIBFUZZER_CFLAGS) -MM -MP -MT $$@ tests/fuzz/$(1)_fuzz.c $(2) > $$@.d
	$$(Q)clang $$(LIBFUZZER_CFLAGS) -o $$@ tests/fuzz/$(1)_fuzz.c tests/fuzz/fuzz.c $(2)
-include $(BUILD)/fuzz/$(1)_fuzz.d $(BUILD)/fuzz/$(1)_libfuzzer.d
endef
$(foreach name,$(FUZZERS),$(eval $(call fuzz_rules,$(name),\
	$(call sources_under_test,tests/fuzz/$(name)_fuzz.c))))

$(BUILD)/fuzz/tools.stamp: scripts/deps
	@mkdir -p $(@D)
	@scripts/deps fuzz
	@touch $@

## make fuzzers     build/fuzz/NAME_libfuzzer for each file of tests/fuzz
.PHONY: fuzzers
fuzzers: $(addprefix $(BUILD)/fuzz/,$(addsuffix _libfuzzer,$(FUZZERS)))
fuzz: fuzzers
unit: $(addprefix $(BUILD)/fuzz/,$(addsuffix _fuzz,$(FUZZERS)))
