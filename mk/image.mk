# SPDX-License-Identifier: MIT
#
# The root archive, that of the tests, and the GRUB image that boots with BIOS and with UEFI.

include mk/schedulers.mk

# Where a program goes: exo-init beside init, tests under /tests, the rest in /bin.
installed_path = $(if $(filter apps/%-init,$(1)),/sbin/$(notdir $(1)),$(if \
	$(filter tests/%,$(1)),/tests/$(notdir $(1)),/bin/$(notdir $(1))))

scheduler_path = $(if $(filter tests/%,$(1)),/tests,/lib/sched)/$(notdir $(1)).so

# $(call listed,programs,schedulers)
listed = $(foreach app,$(1),echo 'file $(call installed_path,$(app)) $(BUILD)/$(app).stripped 0755';) \
	$(foreach scheduler,$(2), \
		echo 'file $(call scheduler_path,$(scheduler)) $(BUILD)/$(scheduler).stripped.so 0644';)

ROOTFS_FILES := $(shell find rootfs -type f -o -type l)

$(BUILD)/root.list: scripts/root.list mk/image.mk mk/apps.mk mk/schedulers.mk FORCE
	@mkdir -p $(@D)
	@{ cat scripts/root.list; \
	   echo 'file /bin/busybox $(BUSYBOX) 0755'; \
	   echo 'file /lib/exo/libos $(BUILD)/libos.module 0644'; \
	   $(call listed,$(APPS),$(filter-out tests/%,$(SCHEDULERS))) \
	   echo 'links $(BUSYBOX).links /bin/busybox'; } > $@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

# The tests and what they load are an archive of their own, which takes no memory where none is run.
$(BUILD)/tests.list: mk/image.mk mk/apps.mk mk/schedulers.mk FORCE
	@mkdir -p $(@D)
	@{ $(call listed,$(GUEST_TESTS),$(filter tests/%,$(SCHEDULERS))) } > $@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

# For domains that are made later.
$(BUILD)/libos.module: $(BUILD)/libos.elf scripts/mkmodule
	$(call say,MODULE,$@)
	$(Q)scripts/mkmodule $< $@

ARCHIVES := $(addprefix $(BUILD)/,root.cpio tests.cpio)
$(ARCHIVES): $(BUILD)/%.cpio: $(BUILD)/%.list scripts/mkarchive $(BUILD)/libos.module $(BUSYBOX) \
		$(ROOTFS_FILES) \
		$(addsuffix .stripped,$(PROGRAMS)) $(patsubst %,$(BUILD)/%.stripped.so,$(SCHEDULERS))
	$(call say,ARCHIVE,$@)
	$(Q)scripts/mkarchive $@ $(if $(filter root,$*),rootfs) $<

$(BUILD)/exo.iso: grub.cfg scripts/mkiso scripts/mkmodule $(BUILD)/exo.elf $(BUILD)/libos.elf $(ARCHIVES)
	$(call say,ISO,$@)
	$(Q)scripts/mkiso $@ grub.cfg $(BUILD)/exo.elf $(BUILD)/libos.elf $(ARCHIVES)

## make image    build/exo.iso
.PHONY: image
image: $(BUILD)/exo.iso
ifneq ($(and $(exo_SOURCES),$(libos_SOURCES)),)
all: $(BUILD)/exo.iso
else
all: $(ARCHIVES)
endif
