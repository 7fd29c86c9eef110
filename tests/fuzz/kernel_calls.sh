#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: fuzz
# The kernel's fuzzer (tests/kernel_fuzz) for longer; SEEDS=first:count and CALLS=n as there.
SEEDS=${SEEDS:-100:20} CALLS=${CALLS:-1000000} exec "$TOP/tests/kernel_fuzz/kernel_fuzz.py"
