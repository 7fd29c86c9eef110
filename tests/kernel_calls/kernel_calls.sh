#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: check
# Boots the kernel with the test domain (kernel_calls.c) in place of a libos, on 1, 2 and 4 CPUs,
# and passes on its "ok" lines.
set -eu

here=$TOP/tests/kernel_calls
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/iso/boot/grub"
nasm -f elf64 -w-all -o "$work/entry.o" "$here/entry.asm"
gcc -std=gnu11 -O2 -g -ffreestanding -fno-pie -mcmodel=large -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-tree-loop-distribute-patterns -fcf-protection=none \
	-I"$TOP/include" -I"$TOP/libos" -c -o "$work/calls.o" "$here/kernel_calls.c"
ld -nostdlib -static -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
	-T "$here/test.ld" -o "$work/libos.elf" "$work/entry.o" "$work/calls.o"
"$TOP/scripts/mkmodule" "$work/libos.elf" "$work/iso/boot/libos.module"
cp "$BUILD/exo.elf" "$work/iso/boot/"
cp "$here/kernel_calls.sh" "$work/iso/boot/archive"
cat > "$work/iso/boot/grub/grub.cfg" <<END
set timeout=0
multiboot2 /boot/exo.elf console=serial panic=reset
module2 /boot/libos.module libos
module2 /boot/archive "archive root"
boot
END
grub-mkrescue -o "$work/test.iso" "$work/iso" > /dev/null 2>&1

status=0
for cpus in 1 2 4; do
	timeout 120 "${QEMU:-qemu-system-x86_64}" -cpu max -smp $cpus -m 256M -cdrom "$work/test.iso" \
		-serial "file:$work/serial" -display none -no-reboot || status=1
	tr -d '\r' < "$work/serial" > "$work/log"
	sed -n "s/^\(ok\|not ok\) \([a-z_]*\)$/\1 \2.$cpus/p; /^#/p; /^not ok: /s/^not ok/#/p" \
		"$work/log"
	# The last line says that the test came to its end, and how.
	if ! tail -n 1 "$work/log" | grep -q ' passed, 0 failed'; then
		echo "# with $cpus CPUs it ended so:"
		tail -n 15 "$work/log"
		status=1
	fi
done
exit $status
