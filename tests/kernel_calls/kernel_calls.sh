#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: check
# Boots the kernel with the test domain (kernel_calls.c) in place of a libos, on 1, 2 and 4 CPUs,
# and passes on its "ok" lines.
set -eu

here=$TOP/tests/kernel_calls
# shellcheck source=tests/kernel_harness/build.sh
. "$TOP/tests/kernel_harness/build.sh"
"$harness/bare-module" "$work/iso/boot/libos.module" "$here/entry.asm" "$here/kernel_calls.c"
image calls "$BUILD/exo.elf" ''
for cpus in 1 2 4; do
	boot calls $cpus $cpus
done
exit $status
