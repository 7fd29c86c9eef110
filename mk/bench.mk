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
