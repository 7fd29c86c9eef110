#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: check
# Boots the kernel with the test domain of this directory in place of a libos: where time is counted in
# instructions, and what two CPUs do to each other once more where each is a thread of its own, with
# invariants checked if there is a kernel that does.
set -eu

here=$TOP/tests/kernel_revoke
# shellcheck source=tests/kernel_harness/build.sh
. "$TOP/tests/kernel_harness/build.sh"
build "$here"/*.c
image all "$BUILD/exo.elf" ''
checking=$BUILD/debug/exo.elf
[ -e "$checking" ] || checking=$BUILD/exo.elf
image races "$checking" only=races
for cpus in 1 4; do
	# shellcheck disable=SC2046 # words
	boot all $cpus $cpus $(counted 3)
done
boot races 2 threads-2 -accel tcg,thread=multi
exit $status
