#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: stress
# The table of kernel entries and outcomes, with the entry moved across the end of the budget
# instruction by instruction (WINDOW_NS in tests/kernel_budget/cells.c, of which one takes two).
ROUNDS=5600 CPUS=1 BOOT_LIMIT_S=3000 exec "$TOP/tests/kernel_budget/kernel_budget.sh"
