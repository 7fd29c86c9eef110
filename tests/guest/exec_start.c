/* SPDX-License-Identifier: MIT */
/* What a new program finds that exec has made ahead: its data's pages, and what is left of signal actions. */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define PAGE 4096ul
#define BASE 0x40000000ul
#define CODE PAGE       /* in the file and behind BASE */
#define DATA (2 * PAGE)
#define FILE_SIZE (DATA + 8 * PAGE)
#define PATTERN 0x5a
#define GARBAGE 0xff    /* in the file, behind what belongs to the segment */

static const char *self;

/* A program of its own: exits with 0 if its data is PATTERN as far as the file has it, and zeros behind. */
__asm__(".pushsection .rodata\n"
	"program:\n"
	"	movq start(%rip), %rsi\n"
	"	movq bytes(%rip), %rcx\n"
	"1:	cmpb $0x5a, (%rsi)\n"
	"	jne 9f\n"
	"	incq %rsi\n"
	"	decq %rcx\n"
	"	jnz 1b\n"
	"	movq zeros(%rip), %rcx\n"
	"2:	cmpb $0, (%rsi)\n"
	"	jne 9f\n"
	"	movb $1, (%rsi)\n"
	"	incq %rsi\n"
	"	decq %rcx\n"
	"	jnz 2b\n"
	"	xorl %edi, %edi\n"
	"	jmp 3f\n"
	"9:	movl $1, %edi\n"
	"3:	movl $231, %eax\n"
	"	syscall\n"
	"	.balign 8\n"
	"start:	.quad 0\n"
	"bytes:	.quad 0\n"
	"zeros:	.quad 0\n"
	"program_end:\n"
	"	.popsection\n");
extern const char program[], program_end[], start[], bytes[], zeros[];

static void put_word(unsigned char *file, const char *place, uint64_t value)
{
	memcpy(file + CODE + (place - program), &value, sizeof(value));
}

/* Its data begins `at` bytes into a page. */
static void make_program(unsigned char *file, uint64_t at, uint64_t in_file, uint64_t in_memory)
{
	Elf64_Ehdr *head = (Elf64_Ehdr *)file;
	Elf64_Phdr *part = (Elf64_Phdr *)(head + 1);

	memset(file, GARBAGE, FILE_SIZE);
	memset(file, 0, sizeof(*head) + 2 * sizeof(*part));
	memcpy(head->e_ident, ELFMAG, SELFMAG);
	head->e_ident[EI_CLASS] = ELFCLASS64;
	head->e_ident[EI_DATA] = ELFDATA2LSB;
	head->e_ident[EI_VERSION] = head->e_version = EV_CURRENT;
	head->e_type = ET_EXEC;
	head->e_machine = EM_X86_64;
	head->e_entry = BASE + CODE;
	head->e_phoff = sizeof(*head);
	head->e_ehsize = sizeof(*head);
	head->e_phentsize = sizeof(*part);
	head->e_phnum = 2;
	part[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = CODE,
				.p_vaddr = BASE + CODE, .p_filesz = (uint64_t)(program_end - program),
				.p_memsz = (uint64_t)(program_end - program) };
	part[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = DATA + at,
				.p_vaddr = BASE + DATA + at, .p_filesz = in_file, .p_memsz = in_memory };
	memcpy(file + CODE, program, (size_t)(program_end - program));
	memset(file + DATA + at, PATTERN, in_file);
	put_word(file, start, BASE + DATA + at);
	put_word(file, bytes, in_file);
	put_word(file, zeros, in_memory - in_file);
}

static int status_of(const char *path, const char *word)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execl(path, path, word, NULL);
		_exit(126);
	}
	return waitpid(child, &status, 0) == child ? status : -1;
}

/* Twice: what the first has written is not seen by the second. */
static int runs_well(unsigned char *file, uint64_t at, uint64_t in_file, uint64_t in_memory)
{
	const char *path = "/tmp/exec-start";
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	make_program(file, at, in_file, in_memory);
	if (fd < 0 || write(fd, file, FILE_SIZE) != (ssize_t)FILE_SIZE)
		return 0;
	close(fd);
	int r = status_of(path, NULL) == 0 && status_of(path, NULL) == 0;

	unlink(path);
	return r;
}

static void data_is_the_files_and_then_zeros(void)
{
	static const uint64_t sizes[] = { 1,	16,   2047, 2048, 2049, 4080,
					  4095, 4096, 4097, 6144, 6145, 12288 };
	static const uint64_t places[] = { 0, 8, 2047, 4080, 4095 };
	static const uint64_t behind[] = { 1, 15, 4096, 9000 };
	unsigned char *file = malloc(FILE_SIZE);
	unsigned bad = 0;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (unsigned k = 0; k < sizeof(places) / sizeof(places[0]); k++)
			for (unsigned n = 0; n < sizeof(behind) / sizeof(behind[0]); n++)
				bad += !runs_well(file, places[k], sizes[i], sizes[i] + behind[n]);
	free(file);
	CHECK_EQ(bad, 0);
}

static void *handler_of(int number)
{
	struct sigaction now;

	sigaction(number, NULL, &now);
	/* A handler's flags and mask go with it. */
	return now.sa_flags & SA_RESTART || sigismember(&now.sa_mask, SIGHUP) == 1 ? (void *)-1 :
										    (void *)now.sa_handler;
}

static void on_signal(int number)
{
}

static void set(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGHUP);
	sigaction(number, &action, NULL);
}

/* In a program that has been executed: which of three signals it ignores.  It then changes them, which
 * must be news to nobody, and executes itself again for the same. */
static int ignores(const char *word)
{
	int r = handler_of(SIGUSR1) != (word[0] == '1' ? SIG_IGN : SIG_DFL) ||
		handler_of(SIGUSR2) != (word[1] == '1' ? SIG_IGN : SIG_DFL) || handler_of(SIGTERM) != SIG_DFL;

	if (r != 0 || word[2] == '\0')
		return r;
	set(SIGTERM, on_signal);
	if (word[2] == 'x')
		set(SIGUSR1, SIG_DFL);
	execl(self, self, word[2] == 'x' ? (word[1] == '1' ? "01" : "00") : (char[]){ word[0], word[1], 0 },
	      NULL);
	return 125;
}

static void ignored_signals_are_those_of_the_moment(void)
{
	unsigned bad = 0;

	set(SIGTERM, on_signal);
	set(SIGUSR1, SIG_IGN);
	for (unsigned i = 0; i < 3; i++)
		bad += status_of(self, "10") != 0;
	bad += status_of(self, "10a") != 0;
	bad += status_of(self, "10x") != 0;
	bad += status_of(self, "10") != 0;
	set(SIGUSR2, SIG_IGN);
	bad += status_of(self, "11") != 0;
	bad += status_of(self, "11x") != 0;
	bad += status_of(self, "11a") != 0;
	set(SIGUSR1, SIG_DFL);
	bad += status_of(self, "01") != 0;
	set(SIGUSR2, on_signal);
	bad += status_of(self, "00") != 0;
	set(SIGUSR2, SIG_DFL);
	bad += status_of(self, "00a") != 0;
	CHECK_EQ(bad, 0);
	CHECK(handler_of(SIGUSR1) == (void *)-1); /* the flags stay, where nothing was executed */
	set(SIGTERM, SIG_DFL);
}

int main(int argc, char **argv)
{
	self = (const char *)getauxval(AT_EXECFN);
	if (argc > 1)
		return ignores(argv[1]);
	RUN(data_is_the_files_and_then_zeros);
	RUN(ignored_signals_are_those_of_the_moment);
	return test_result();
}
