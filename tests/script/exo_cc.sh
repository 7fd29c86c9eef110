#!/bin/bash
# SPDX-License-Identifier: MIT
# tags: check
#
# exo-cc as a build system meets it, and its programs on Linux: a page at the
# libos's address that turns each libos call back into SYSCALL makes Linux run them.
#
# The cases are called by name, which shellcheck does not see:
# shellcheck disable=SC2317
set -u

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

check()
{
	local name=$1 messages
	if messages=$("$name" 2>&1); then
		echo "ok $name"
	else
		printf '%s\n' "$messages" | tail -n 5
		echo "not ok $name: see above"
		failed=1
	fi
}

# SYSCALL keeps the argument registers, so the return address waits in one of them
# where the child has another stack or shares the parent's.
write_sources()
{
	cat >entry.S <<-'END'
	.section .linux_entry, "ax", @progbits
		cmp $15, %eax		/* rt_sigreturn */
		je 1f
		cmp $56, %eax		/* clone */
		je 1f
		cmp $58, %eax		/* vfork */
		je 1f
		cmp $1026, %eax		/* LIBOS_CALL_RAISE */
		je 2f
		syscall
		ret
	1:	pop %r9
		syscall
		jmp *%r9
	2:	mov %edi, %edx
		mov $186, %eax		/* gettid */
		syscall
		mov %eax, %edi
		mov %edx, %esi
		mov $200, %eax		/* tkill */
		syscall
		ret
		.org 0x400		/* the calls that have entries of their own: exo_call.h */
		.rept 7
		.balign 64
		syscall
		ret
		.endr
		.balign 64
		mov $1, %eax		/* sigaction(): by number */
		ret
		.org 0x800
		syscall
		ret
		.org 0x900
		syscall
		ret
	END
	cat >program.c <<-'END'
	#include <pthread.h>
	#include <signal.h>
	#include <spawn.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <string.h>
	#include <sys/wait.h>
	#include <unistd.h>

	static volatile int count;
	static void *add(void *amount) { return (void *)((long)amount + 1); }
	static void handler(int number) { count += number; }
	static int nested_vfork(int level)
	{
		int status;
		pid_t child = vfork();

		if (child == 0)
			_exit(level < 3 ? nested_vfork(level + 1) + 1 : 0);
		waitpid(child, &status, 0);
		return WEXITSTATUS(status);
	}
	int main(int argc, char **argv)
	{
		char text[8] = "", *words[] = { "true", NULL };
		extern char **environ;
		pthread_t thread;
		void *sum;
		pid_t child;
		int status;

		if (pthread_create(&thread, NULL, add, (void *)41) || pthread_join(thread, &sum))
			return 1;
		if ((long)sum != 42)
			return 2;
		signal(SIGUSR1, handler);
		if (raise(SIGUSR1) || count != SIGUSR1)
			return 3;
		if (nested_vfork(0) != 3)
			return 4;
		if (posix_spawnp(&child, "true", NULL, NULL, words, environ) ||
		    waitpid(child, &status, 0) != child || status)
			return 5;
		if (!fgets(text, sizeof(text), popen("echo pipe", "r")) || strcmp(text, "pipe\n"))
			return 6;
		return argc - 1;
	}
	END
}

compile()
{
	"$EXO_CC" -O2 -o "$@"
}

on_linux()
{
	compile "$1" "${@:2}" program.c entry.S -Wl,--section-start=.linux_entry=0x7f0000000000
}

program_runs_on_linux_through_a_shim() { on_linux program && ./program; }
program_runs_without_optimisation() { on_linux program0 -O0 && ./program0; }
program_runs_with_link_time_optimisation() { on_linux lto -flto && ./lto; }

static_pie_links()
{
	compile pie -static-pie program.c && readelf -h pie | grep -q 'DYN' &&
		! readelf -lW pie | grep INTERP
}

# As gcc has it, the last word counts; and what is behind -Xlinker is not ours.
pie_is_static_here_too()
{
	compile pie2 -fPIE -pie program.c && readelf -h pie2 | grep -q 'DYN' &&
		! readelf -lW pie2 | grep INTERP && compile fixed -pie -no-pie program.c &&
		readelf -h fixed | grep -q 'EXEC' && compile linker -Xlinker --gc-sections program.c
}

program_is_static_and_has_no_syscall_instruction()
{
	compile plain program.c &&
		! readelf -lW plain | grep -E 'INTERP|DYNAMIC' &&
		! objdump -d plain | grep -w 'syscall *$'
}

shared_libraries_are_refused()
{
	! "$EXO_CC" -shared -o library.so program.c
}

preprocessing_and_dependencies_work()
{
	"$EXO_CC" -E program.c | grep -q posix_spawnp && "$EXO_CC" -M program.c | grep -q spawn.h &&
		! "$EXO_CC" -M program.c | grep -w /usr/include
}

separate_objects_and_archives_link()
{
	echo 'int twice(int n) { return 2 * n; }' >twice.c
	echo 'int twice(int); int main(void) { return twice(2) - 4; }' >main.c
	"$EXO_CC" -c twice.c && ar rcs libtwice.a twice.o && "$EXO_CC" -c main.c &&
		"$EXO_CC" -o linked main.o -L. -ltwice -lm -lpthread
}

linux_headers_are_there()
{
	printf '#include <linux/%s.h>\n' fs futex input >headers.c
	echo '#include <asm/unistd.h>' >>headers.c
	"$EXO_CC" -c headers.c
}

failed=0
write_sources
for name in program_runs_on_linux_through_a_shim program_runs_without_optimisation \
	program_runs_with_link_time_optimisation static_pie_links pie_is_static_here_too \
	program_is_static_and_has_no_syscall_instruction shared_libraries_are_refused \
	preprocessing_and_dependencies_work separate_objects_and_archives_link \
	linux_headers_are_there; do
	check "$name"
done
exit "$failed"
