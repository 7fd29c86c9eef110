# SPDX-License-Identifier: MIT
#
# BusyBox, the shell and tools of the root archive.

BUSYBOX := $(CACHE)/busybox/busybox

$(CACHE)/busybox.stamp: scripts/build-busybox scripts/busybox.config scripts/fetch-source \
		scripts/exo-cc $(CACHE)/musl.stamp | $(SYSROOT_READY)
	$(call say,BUILD,busybox (log: $(CACHE)/busybox.log))
	$(Q)$(call once,$@,$(firstword $?),scripts/build-busybox $(CACHE) > $(CACHE)/busybox.log 2>&1 \
		|| { tail $(CACHE)/busybox.log; false; })

$(BUSYBOX) $(BUSYBOX).links: $(CACHE)/busybox.stamp ;

## make busybox  BusyBox alone
.PHONY: busybox
busybox: $(BUSYBOX)
