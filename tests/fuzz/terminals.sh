#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: fuzz
#
# libFuzzer against the line discipline, the terminal emulator, the key map and the frames of
# exo-run.  FUZZ_SECONDS says for how long (default 60).
set -eu

name=no_input_breaks_a_terminal
if ! command -v clang > /dev/null; then
	echo "ok $name # skip there is no clang"
	exit 0
fi
cd "$TOP"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	-iquote libos -o "$work/fuzz" tests/fuzz/terminals.c libos/tty/line_discipline.c \
	libos/tty/line_output.c libos/tty/terminal.c libos/tty/terminal_sequence.c \
	libos/tty/terminal_screen.c libos/tty/terminal_font.c libos/tty/keymap.c \
	libos/tty/host_frames.c > "$work/log" 2>&1; then
	if grep -q 'fuzzer' "$work/log"; then
		echo "ok $name # skip clang has no libFuzzer"
		exit 0
	fi
	cat "$work/log"
	exit 1
fi
mkdir "$work/corpus"
if "$work/fuzz" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=8192 -print_final_stats=1 \
	"$work/corpus" > "$work/log" 2>&1; then
	sed -n 's/^stat::number_of_executed_units: */# inputs tried: /p' "$work/log"
	echo "ok $name"
else
	tail -50 "$work/log"
	echo "not ok $name: see above"
	exit 1
fi
