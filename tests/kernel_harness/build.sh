# shellcheck shell=sh
# SPDX-License-Identifier: MIT
#
# Building and booting the test domains that take the place of a libos.  Sourced, with $here the
# suite's directory; leaves $work, and $status to be set to 1 when something failed.

harness=$TOP/tests/kernel_harness
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/iso/boot/grub"
cp "$harness/entry.asm" "$work/iso/boot/archive"
status=0

compile() {
	gcc -std=gnu11 -O2 -g -ffreestanding -fpie -mno-red-zone -mgeneral-regs-only \
		-fno-stack-protector -fno-strict-aliasing -fno-tree-loop-distribute-patterns \
		-fcf-protection=none -Wall -Wextra -Wshadow -Werror -include "$TOP/mk/hidden.h" \
		-I"$TOP/include" -I"$harness" "$@"
}

# build SOURCE...: the module, of the harness and these sources of the suite.
build() {
	compile -include "$TOP/mk/offsets.h" -S -o "$work/offsets.s" "$harness/offsets.c"
	# shellcheck disable=SC2016 # the dollar is the assembler's
	sed -n 's/^.*\.ascii "->\([^ ]*\) \$*\(-\{0,1\}[0-9]*\) .*"$/%define \1 \2/p' \
		"$work/offsets.s" > "$work/offsets.inc"
	nasm -f elf64 -g -F dwarf -I"$work/" -o "$work/entry.o" "$harness/entry.asm"
	for source in "$harness/harness.c" "$harness/child.c" "$@"; do
		compile -c -o "$work/$(basename "$source" .c).o" "$source"
	done
	ld -nostdlib -static -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
		-T "$TOP/libos/libos.ld" -o "$work/libos.elf" "$work"/*.o
	"$TOP/scripts/mkmodule" "$work/libos.elf" "$work/iso/boot/libos.module"
}

# image NAME KERNEL WORDS: an image that boots this kernel with these words.
image() {
	cp "$2" "$work/iso/boot/exo.elf"
	cat > "$work/iso/boot/grub/grub.cfg" <<-END
	set timeout=0
	multiboot2 /boot/exo.elf console=serial panic=reset $3
	module2 /boot/libos.module libos
	module2 /boot/archive "archive root"
	boot
	END
	grub-mkrescue -o "$work/$1.iso" "$work/iso" > "$work/messages" 2>&1 || {
		cat "$work/messages"
		exit 1
	}
}

# shellcheck disable=SC2034 # whoever sources this exits with $status
# boot IMAGE CPUS SUFFIX QEMU-OPTIONS: passes the "ok" lines on, each name with the suffix.
# A network card's firmware would take most of a boot where instructions are counted.
boot() {
	image=$1 cpus=$2 suffix=$3
	shift 3
	timeout "${BOOT_LIMIT_S:-300}" "${QEMU:-qemu-system-x86_64}" "$@" -cpu max -smp "$cpus" -m 256M \
		-nodefaults -vga std -cdrom "$work/$image.iso" -serial "file:$work/serial" -display none \
		-no-reboot || status=1
	tr -d '\r' < "$work/serial" > "$work/log"
	sed -n "s/^\(ok\|not ok\) \([a-z_]*\)$/\1 \2.$suffix/p; /^#/p" "$work/log"
	# The last line says that the test came to its end, and how.
	if ! tail -n 1 "$work/log" | grep -q '^kernel tests passed'; then
		echo "# $suffix ended so:"
		tail -n 15 "$work/log" | sed 's/^/#   /'
		status=1
	fi
}

# Where an instruction takes 2^SHIFT ns, so that a busy host changes nothing; the CPUs take turns.
counted() {
	echo "-accel tcg -icount shift=$1,sleep=off -rtc base=2024-01-01T00:00:00,clock=vm"
}
