# SPDX-License-Identifier: MIT
#
# The benchmark, beside Linux in the same QEMU: scripts/bench/run says how.

ICOUNT ?= 0

## make bench    here and on Linux, side by side; ICOUNT=1: in instructions.  WRITE=1: into docs/
.PHONY: bench
bench: all
	@scripts/deps bench
	@scripts/bench/run --build $(BUILD) --cache $(CACHE) --cpus $(CPUS) \
		$(if $(filter 1,$(ICOUNT)),--icount) $(if $(filter 1,$(WRITE)),--write) $(ROWS)
ifeq ($(ICOUNT)$(ROWS),1)
	@$(MAKE) bench-ours
else ifeq ($(ICOUNT)$(ROWS),0)
	@$(MAKE) bench-memory
endif

## make bench-figures  what follows from the tables of docs/performance.md, in README, book and chart
.PHONY: bench-figures
bench-figures:
	@scripts/bench/derive

## make bench-memory  what kernel, processes and threads take of memory; WRITE=1: into docs/
.PHONY: bench-memory
bench-memory: all
	@scripts/bench/memory --build $(BUILD) --cache $(CACHE) $(if $(filter 1,$(WRITE)),--write)

## make hot      the order of functions in the images (mk/hot-*.ld), from profiles of what switches run through
.PHONY: hot
hot: all $(BUILD)/bench-true $(BUILD)/profile-plugin.so
	@scripts/bench/hot

# ROW's own program for exec, and the plugin for QEMU that counts what is executed.
$(BUILD)/bench-true: scripts/bench/true.c | $(CACHE)/bin/exo-cc
	$(Q)$(CACHE)/bin/exo-cc -static -O2 -s -o $@ $<
$(BUILD)/profile-plugin.so: scripts/bench/profile-plugin.c
	$(Q)$(CC) -std=gnu11 -O2 $(WARNINGS) -Wno-missing-prototypes -shared -fPIC -o $@ $<

## make profile  where the instructions of a row of the benchmark go: ROW=fork_exit
.PHONY: profile
profile: all $(BUILD)/bench-true $(BUILD)/profile-plugin.so
	@scripts/bench/profile --build $(BUILD) $(ROW)

## make bench-baseline  rows that have become faster go into tests/bench-baseline
.PHONY: bench-baseline
bench-baseline: all
	@BUILD=$(abspath $(BUILD)) EXO_CC=$(abspath $(CACHE))/bin/exo-cc tests/script/bench_baseline.py --lower

## make bench-scaling  how cost and throughput grow, here and on Linux; PART=costs|loads, WRITE=1: into docs/
.PHONY: bench-scaling
bench-scaling: all
	@scripts/deps bench
	@scripts/bench/scaling --build $(BUILD) --cache $(CACHE) $(if $(filter 1,$(WRITE)),--write) $(PART)

## make bench-ours  in instructions, what Linux cannot be asked: kernel operations, schedulers, tracing
.PHONY: bench-ours
bench-ours: all
	@TOP=$(TOP) BUILD=$(abspath $(BUILD)) EXO_RUN=$(abspath $(BUILD))/bin/exo-run scripts/bench/ours
