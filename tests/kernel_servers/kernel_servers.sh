#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: check
# Boots the kernel with domains that serve each other on donated time, in place of a libos, and passes
# on their "ok" lines: alone on a CPU, and where another CPU kills one of them in the middle.
set -eu

here=$TOP/tests/kernel_servers
# shellcheck source=tests/kernel_harness/build.sh
. "$TOP/tests/kernel_harness/build.sh"
build "$here"/*.c
image servers "$BUILD/exo.elf" ''
for cpus in 1 2; do
	# shellcheck disable=SC2046 # words
	boot servers $cpus $cpus $(counted 3)
done
exit $status
