# SPDX-License-Identifier: MIT
#
# musl, Linux's headers and the libos's library, for programs built by exo-cc.
# Third-party software is built once per CACHE, under a lock: two makes with
# different BUILD directories share it.

SYSROOT := $(CACHE)/sysroot
EXO_CC := $(CACHE)/bin/exo-cc

# $(call once,stamp,script,command): run the command unless another make did meanwhile.
once = mkdir -p $(CACHE) && flock $(CACHE)/lock bash -c 'test $(1) -nt $(2) || { $(3) && touch $(1); }'

$(CACHE)/musl.stamp: scripts/build-musl scripts/fetch-source $(wildcard scripts/musl/*) include/libos/calls.h
	$(call say,BUILD,musl (log: $(CACHE)/musl.log))
	$(Q)$(call once,$@,$(firstword $?),scripts/build-musl $(CACHE) > $(CACHE)/musl.log 2>&1 \
		|| { tail $(CACHE)/musl.log; false; })

$(CACHE)/bin/%: scripts/%
	@mkdir -p $(@D)
	$(Q)cp $< $@

# The public headers, and libos.a for the linker.
API_SOURCES := $(sort $(wildcard libos/api/*.c libos/api/*.S))
API_OBJECTS := $(patsubst %,$(CACHE)/%.o,$(API_SOURCES))
API_HEADERS := $(patsubst include/%,$(SYSROOT)/include/%,$(wildcard include/exo/*.h include/libos/*.h))

$(API_HEADERS): $(SYSROOT)/include/%: include/% $(CACHE)/musl.stamp
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(API_OBJECTS): $(CACHE)/%.o: % $(EXO_CC) $(API_HEADERS) $(CACHE)/musl.stamp
	$(call say,EXO-CC,$<)
	@mkdir -p $(@D)
	$(Q)$(EXO_CC) -std=gnu11 -O2 -g $(WARNINGS) -MMD -MP -c -o $@ $<

$(SYSROOT)/lib/libos.a: $(API_OBJECTS) $(CACHE)/musl.stamp
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(API_OBJECTS)

-include $(API_OBJECTS:.o=.d)

SYSROOT_READY := $(CACHE)/musl.stamp $(EXO_CC) $(SYSROOT)/lib/libos.a $(API_HEADERS)

## make sysroot  musl and exo-cc
.PHONY: sysroot
sysroot: $(SYSROOT_READY)
all: sysroot
