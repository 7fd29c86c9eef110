#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: check
# Boots the kernel with the test domains of this directory in place of a libos, and passes on their
# "ok" lines.  Cases about time run where an instruction takes 4 ns (-icount), so that a busy host
# changes nothing; there the CPUs take turns.  Cases about several CPUs run once more where each CPU
# is a thread of its own.
#
# With --rows it prints what the kernel's operations cost instead, in instructions: `make bench-ours`.
set -eu

here=$TOP/tests/kernel_vcores
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/iso/boot/grub"

compile() {
	gcc -std=gnu11 -O2 -g -ffreestanding -fpie -mno-red-zone -mgeneral-regs-only \
		-fno-stack-protector -fno-strict-aliasing -fno-tree-loop-distribute-patterns \
		-fcf-protection=none -Wall -Wextra -Wshadow -I"$TOP/include" "$@"
}

compile -include "$TOP/mk/offsets.h" -S -o "$work/offsets.s" "$here/offsets.c"
# shellcheck disable=SC2016 # the dollar is the assembler's
sed -n 's/^.*\.ascii "->\([^ ]*\) \$*\(-\{0,1\}[0-9]*\) .*"$/%define \1 \2/p' \
	"$work/offsets.s" > "$work/offsets.inc"
nasm -f elf64 -g -F dwarf -I"$work/" -o "$work/entry.o" "$here/entry.asm"
for source in harness one_domain two_domains rows; do
	compile -c -o "$work/$source.o" "$here/$source.c"
done
ld -nostdlib -static -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
	-T "$TOP/libos/libos.ld" -o "$work/libos.elf" "$work"/*.o
"$TOP/scripts/mkmodule" "$work/libos.elf" "$work/iso/boot/libos.module"
cp "$BUILD/exo.elf" "$work/iso/boot/"
cp "$here/entry.asm" "$work/iso/boot/archive"
# image NAME WORDS: an image that boots with these words.
image() {
	cat > "$work/iso/boot/grub/grub.cfg" <<-END
	set timeout=0
	multiboot2 /boot/exo.elf console=serial panic=reset $2
	module2 /boot/libos.module libos
	module2 /boot/archive "archive root"
	boot
	END
	grub-mkrescue -o "$work/$1.iso" "$work/iso" > "$work/messages" 2>&1 || {
		cat "$work/messages"
		exit 1
	}
}

# boot IMAGE CPUS SUFFIX QEMU-OPTIONS
boot() {
	image=$1 cpus=$2 suffix=$3
	shift 3
	timeout 200 qemu-system-x86_64 "$@" -cpu max -smp "$cpus" -m 256M \
		-cdrom "$work/$image.iso" -serial "file:$work/serial" -display none -no-reboot ||
		status=1
	tr -d '\r' < "$work/serial" > "$work/log"
	sed -n "s/^\(ok\|not ok\) \([a-z_]*\)$/\1 \2.$suffix/p; /^#/p" "$work/log"
	# The last line says that the test came to its end, and how.
	if ! tail -n 1 "$work/log" | grep -q '^vcore tests passed'; then
		echo "# with $cpus CPUs it ended so:"
		tail -n 15 "$work/log" | sed 's/^/#   /'
		status=1
	fi
}

if [ "${1:-}" = --rows ]; then
	image rows only=rows
	status=0
	boot rows 1 1 -accel tcg -icount shift=0,sleep=off -rtc base=2024-01-01T00:00:00,clock=vm -seed 1
	grep '^kernel_' "$work/log"
	exit $status
fi
image all ''
image races only=races
status=0
for cpus in 1 4; do
	boot all $cpus $cpus -accel tcg -icount shift=2,sleep=off \
		-rtc base=2024-01-01T00:00:00,clock=vm
done
for cpus in 2 4 8; do
	boot races $cpus threads-$cpus -accel tcg,thread=multi
done
exit $status
