# SPDX-License-Identifier: MIT
#
# Running the system, debugging it, and installing the tools for use elsewhere.

CPUS ?= 4
MEM ?= 256M
APP ?=
MENU ?= 0
PREFIX ?= /usr/local
export ACCEL UEFI DISPLAY_MODE APP

$(BUILD)/bin/exo-run: scripts/exo-run $(wildcard scripts/running/*.py)
	@mkdir -p $(@D) $(BUILD)/lib/exo/running
	$(Q)cp scripts/running/*.py $(BUILD)/lib/exo/running/
	$(Q)cp $< $@

RUNNABLE := $(BUILD)/exo.iso $(BUILD)/bin/exo-run
all: $(BUILD)/bin/exo-run $(BUILD)/bin/exo-trace

$(BUILD)/bin/exo-trace: scripts/trace
	@mkdir -p $(@D)
	$(Q)ln -sf $(TOP)/scripts/trace $@

## make run      boot, console in this terminal; CPUS=4 MEM=256M SCHED=rr APP='cmd' UEFI=1
##               ACCEL=auto|tcg|kvm DISPLAY_MODE=serial|vga MENU=1 (show GRUB's menu)
.PHONY: run
run: $(RUNNABLE)
	@$(BUILD)/bin/exo-run --interactive --cpus $(CPUS) --mem $(MEM) \
		$(if $(filter 1,$(MENU)),--menu) $(if $(APP),-- sh -c "$$APP")

TRACE_APP := seq 1 100000 | sort -rn | head -1
TRACE_KIB ?= 1024
DETAIL ?=

## make trace    a traced run of APP='cmd': build/trace.json for ui.perfetto.dev, build/trace.svg to
##               look at; CPUS, MEM, SCHED; TRACE_KIB=1024 for each CPU; DETAIL=START:LENGTH in ms
.PHONY: trace
trace: $(RUNNABLE)
	@rm -f $(BUILD)/trace.bin $(BUILD)/trace.json $(BUILD)/trace.svg $(BUILD)/trace.work
	@app="$${APP:-$(TRACE_APP)}"; status=0; \
	$(BUILD)/bin/exo-run --cpus $(CPUS) --mem $(MEM) --trace $(BUILD)/trace.bin \
		--trace-size $(TRACE_KIB) -- sh -c "$$app" || status=$$?; \
	[ $$status = 0 ] || echo "$$app: status $$status" >&2; \
	[ -s $(BUILD)/trace.bin ] || { echo "there is no trace" >&2; exit 1; }; \
	scripts/trace $(BUILD)/trace.bin --json $(BUILD)/trace.json --svg $(BUILD)/trace.svg \
		--calls $(SYSROOT)/include/asm/unistd_64.h --title "$$app" \
		$(if $(DETAIL),--detail $(DETAIL)); \
	echo "$(BUILD)/trace.json is for https://ui.perfetto.dev, $(BUILD)/trace.svg to look at"

UNDER ?= rr fair

## make replay   the same, recorded and then repeated in the simulator UNDER='rr fair': their timelines;
##               build/trace.work is what was recorded
.PHONY: replay
replay: trace $(addprefix $(BUILD)/simulator/,$(UNDER))
	@app="$${APP:-$(TRACE_APP)}"; \
	scripts/trace $(BUILD)/trace.bin --work $(BUILD)/trace.work --title "$$app"
	@for library in $(UNDER); do \
		echo; $(BUILD)/simulator/$$library $(BUILD)/trace.work || exit 1; \
	done

## make gdb      boot halted, gdb attached; the console goes to build/gdb-console.log; APP='cmd' is run,
##               FILES='prog' are put into the machine
.PHONY: gdb
gdb: $(RUNNABLE)
	@scripts/gdb/session $(BUILD) $(CPUS) $(MEM) $(FILES)

## make install  exo-cc, exo-run, exo-sched, exo-trace and what they need, under PREFIX (/usr/local)
.PHONY: install
install: $(RUNNABLE) $(SYSROOT_READY)
	$(Q)install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/exo
	$(Q)install -m 755 scripts/exo-cc scripts/exo-run scripts/exo-sched $(DESTDIR)$(PREFIX)/bin/
	$(Q)install -m 755 scripts/new-scheduler $(DESTDIR)$(PREFIX)/bin/exo-new-scheduler
	$(Q)install -m 755 scripts/trace $(DESTDIR)$(PREFIX)/lib/exo/
	$(Q)for part in running tracing; do \
		install -d $(DESTDIR)$(PREFIX)/lib/exo/$$part; \
		install -m 644 scripts/$$part/*.py $(DESTDIR)$(PREFIX)/lib/exo/$$part/; \
	done
	$(Q)ln -sf ../lib/exo/trace $(DESTDIR)$(PREFIX)/bin/exo-trace
	$(Q)install -m 644 $(BUILD)/exo.iso $(DESTDIR)$(PREFIX)/lib/exo/
	$(Q)cp -r $(SYSROOT) $(DESTDIR)$(PREFIX)/lib/exo/
