#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: check
# Boots the kernel with the test domains of this directory in place of a libos, and passes on their
# "ok" lines.  Cases about time run where an instruction takes 8 ns (-icount), so that what the kernel
# does itself weighs more than on any machine and must be counted right; cases about several CPUs run
# once more where each CPU is a thread of its own.
#
# With --rows it prints what the kernel's operations cost instead, in instructions, and what crosses CPUs, in
# time, as so many calls with no work of the same run: `make bench-ours`.
set -eu

here=$TOP/tests/kernel_vcores
# shellcheck source=tests/kernel_harness/build.sh
. "$TOP/tests/kernel_harness/build.sh"
build "$here"/*.c

# shellcheck disable=SC2046 # words
if [ "${1:-}" = --rows ]; then
	image rows "$BUILD/exo.elf" only=rows
	boot rows 1 1 $(counted 0) -seed 1
	grep '^kernel_' "$work/log"
	image cross "$BUILD/exo.elf" only=cross
	for cpus in 2 4 8; do
		boot cross $cpus $cpus -accel tcg,thread=multi
		sed -n "s/^cross_\([a-z_]*\) /cross_\1_$cpus /p" "$work/log"
	done
	exit $status
fi
image all "$BUILD/exo.elf" ''
image races "$BUILD/exo.elf" only=races
for cpus in 1 4; do
	# shellcheck disable=SC2046 # words
	boot all $cpus $cpus $(counted 3)
done
for cpus in 2 4 8; do
	boot races $cpus threads-$cpus -accel tcg,thread=multi
done
exit $status
