# SPDX-License-Identifier: MIT
#
# The root archive and the GRUB image that boots with BIOS and with UEFI.

include mk/schedulers.mk

# Where a program goes: exo-init beside init, tests under /tests, the rest in /bin.
installed_path = $(if $(filter apps/%-init,$(1)),/sbin/$(notdir $(1)),$(if \
	$(filter tests/%,$(1)),/tests/$(notdir $(1)),/bin/$(notdir $(1))))

scheduler_path = $(if $(filter tests/%,$(1)),/tests,/lib/sched)/$(notdir $(1)).so

ROOTFS_FILES := $(shell find rootfs -type f -o -type l)

$(BUILD)/root.list: scripts/root.list mk/image.mk mk/apps.mk mk/schedulers.mk FORCE
	@mkdir -p $(@D)
	@{ cat scripts/root.list; \
	   echo 'file /bin/busybox $(BUSYBOX) 0755'; \
	   echo 'file /lib/exo/libos $(BUILD)/libos.module 0644'; \
	   $(foreach app,$(APPS) $(GUEST_TESTS), \
		echo 'file $(call installed_path,$(app)) $(BUILD)/$(app).stripped 0755';) \
	   $(foreach scheduler,$(SCHEDULERS), \
		echo 'file $(call scheduler_path,$(scheduler)) $(BUILD)/$(scheduler).stripped.so 0644';) \
	   echo 'links $(BUSYBOX).links /bin/busybox'; } > $@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

# For domains that are made later.
$(BUILD)/libos.module: $(BUILD)/libos.elf scripts/mkmodule
	$(call say,MODULE,$@)
	$(Q)scripts/mkmodule $< $@

$(BUILD)/root.cpio: $(BUILD)/root.list scripts/mkarchive $(BUILD)/libos.module $(BUSYBOX) $(ROOTFS_FILES) \
		$(addsuffix .stripped,$(PROGRAMS)) $(patsubst %,$(BUILD)/%.stripped.so,$(SCHEDULERS))
	$(call say,ARCHIVE,$@)
	$(Q)scripts/mkarchive $@ rootfs $<

$(BUILD)/exo.iso: grub.cfg scripts/mkiso scripts/mkmodule $(BUILD)/exo.elf $(BUILD)/libos.elf $(BUILD)/root.cpio
	$(call say,ISO,$@)
	$(Q)scripts/mkiso $@ grub.cfg $(BUILD)/exo.elf $(BUILD)/libos.elf $(BUILD)/root.cpio

## make image    build/exo.iso
.PHONY: image
image: $(BUILD)/exo.iso
ifneq ($(and $(exo_SOURCES),$(libos_SOURCES)),)
all: $(BUILD)/exo.iso
else
all: $(BUILD)/root.cpio
endif
