#!/bin/sh
# SPDX-License-Identifier: MIT
# Budgets that end at every kind of kernel entry, with every outcome (budget.h): a case for each
# pair, and a table of how often it happened.  `exact`: where time is the number of instructions, so
# that the entry can be moved across the end of the budget; `threads`: where each CPU is a thread,
# and it falls as it may, which is for `make stress`.  The kernel that checks its invariants is used if
# there is one.
# ROUNDS: how many of them make a cell.  CPUS: for which numbers of them.  MODE: exact, or threads.
set -eu

here=$TOP/tests/kernel_budget
# shellcheck source=tests/kernel_harness/build.sh
. "$TOP/tests/kernel_harness/build.sh"
build "$here"/*.c

# exact KERNEL CPUS SUFFIX
exact() {
	image exact "$1" "rounds=${ROUNDS:-16}"
	# shellcheck disable=SC2046 # words
	boot exact "$2" "$2$3" -global hpet.msi=on $(counted 1) -seed 1
}

threads() {
	image threads "$1" "rounds=${ROUNDS:-16} threads"
	boot threads "$2" "threads-$2$3" -global hpet.msi=on -accel tcg,thread=multi
}

kernel=$BUILD/exo.elf
[ ! -e "$BUILD/debug/exo.elf" ] || kernel=$BUILD/debug/exo.elf
for cpus in ${CPUS:-1 2 4}; do
	case ${MODE:-exact} in
	threads) threads "$kernel" "$cpus" '' ;;
	*) exact "$kernel" "$cpus" '' ;;
	esac
done
exit $status
