#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: stress
# The table of kernel entries and outcomes where each CPU is a thread of the host: the entry falls as it may.
MODE=threads CPUS='2 4' BOOT_LIMIT_S=3000 exec "$TOP/tests/kernel_budget/kernel_budget.sh"
