/* SPDX-License-Identifier: MIT */
/* Executables that are wrong: each is refused with the right errno, and the caller goes on. */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

#define NAME "/tmp/bad-exec"
#define STAYED_ALIVE 77
#define RANDOM_FILES 200

/* A program of one segment that exits with 0: header, program header, code. */
struct program {
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	Elf64_Phdr second; /* PT_NULL, for a case to fill in */
	unsigned char code[16];
};

static const struct program good = {
	.header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = 0x400000 + offsetof(struct program, code),
		.e_phoff = offsetof(struct program, segment),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	},
	.segment = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = 0x400000,
		.p_filesz = sizeof(struct program),
		.p_memsz = sizeof(struct program),
		.p_align = 4096,
	},
	/* mov $60, %eax; xor %edi, %edi; syscall */
	.code = { 0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05 },
};

static void write_file(const void *bytes, size_t size, mode_t mode)
{
	int fd = open(NAME, O_WRONLY | O_CREAT | O_TRUNC, 0755);

	CHECK(fd >= 0);
	CHECK(write(fd, bytes, size) == (ssize_t)size);
	CHECK_EQ(fchmod(fd, mode), 0);
	CHECK_EQ(close(fd), 0);
}

/* What execve of the path returned, as -errno; or the wait status of what it started. */
static int try_exec(const char *path)
{
	char *argv[] = { "bad", NULL }, *envp[] = { NULL };
	int ends[2], error = 0, status = 0;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		execve(path, argv, envp);
		error = errno;
		write(ends[1], &error, sizeof(error));
		_exit(STAYED_ALIVE);
	}
	close(ends[1]);
	read(ends[0], &error, sizeof(error));
	close(ends[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	if (error)
		CHECK_EQ(WEXITSTATUS(status), STAYED_ALIVE);
	return error ? -error : status;
}

static void the_unchanged_program_runs(void)
{
	write_file(&good, sizeof(good), 0755);
	CHECK_EQ(try_exec(NAME), 0);
}

/* Fields set to a bad value, one at a time. */
static void bad_headers_are_refused(void)
{
	static const struct {
		const char *what;
		size_t offset, size;
		uint64_t value;
	} changes[] = {
#define HEADER(field, value) { #field, offsetof(struct program, header.field), \
			       sizeof(good.header.field), value }
#define SEGMENT(field, value) { #field, offsetof(struct program, segment.field), \
				sizeof(good.segment.field), value }
		{ "magic", 0, 1, 0 },
		{ "magic", 3, 1, 'f' },
		{ "class", EI_CLASS, 1, ELFCLASS32 },
		{ "byte order", EI_DATA, 1, ELFDATA2MSB },
		{ "version", EI_VERSION, 1, 9 },
		HEADER(e_type, ET_REL),
		HEADER(e_type, ET_CORE),
		HEADER(e_type, 0xffff),
		HEADER(e_machine, EM_386),
		HEADER(e_machine, EM_AARCH64),
		HEADER(e_machine, 0),
		HEADER(e_entry, 0),
		HEADER(e_entry, 0x500000),
		HEADER(e_entry, 0x3fffff),
		HEADER(e_entry, 0x7f0000000000),
		HEADER(e_entry, 0xffffffff80100000),
		HEADER(e_phoff, sizeof(good)),
		HEADER(e_phoff, sizeof(good) - sizeof(Elf64_Phdr)),
		HEADER(e_phoff, 1ul << 63),
		HEADER(e_phoff, UINT64_MAX),
		HEADER(e_phoff, UINT64_MAX - 55),
		HEADER(e_phentsize, 0),
		HEADER(e_phentsize, sizeof(Elf32_Phdr)),
		HEADER(e_phentsize, 0xffff),
		HEADER(e_phnum, 0),
		HEADER(e_phnum, 100),
		HEADER(e_phnum, 0xffff),
		SEGMENT(p_type, PT_NULL),
		SEGMENT(p_type, PT_INTERP),
		SEGMENT(p_flags, PF_R),
		SEGMENT(p_flags, 0),
		SEGMENT(p_offset, sizeof(good)),
		SEGMENT(p_offset, 1),
		SEGMENT(p_offset, 1ul << 40),
		SEGMENT(p_offset, -4096ul),
		SEGMENT(p_vaddr, 0),
		SEGMENT(p_vaddr, 0x401000),
		SEGMENT(p_vaddr, 0x7e8000000000),
		SEGMENT(p_vaddr, 0x7f0000000000),
		SEGMENT(p_vaddr, 0xffffffffffff0000),
		SEGMENT(p_vaddr, 0x800000000000),
		SEGMENT(p_filesz, sizeof(good) + 1),
		SEGMENT(p_filesz, 1ul << 40),
		SEGMENT(p_filesz, UINT64_MAX),
		SEGMENT(p_memsz, 0),
		SEGMENT(p_memsz, 64),
		SEGMENT(p_memsz, 1ul << 47),
		SEGMENT(p_memsz, UINT64_MAX),
		SEGMENT(p_memsz, UINT64_MAX - 0x400000),
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct program bad = good;

		memcpy((char *)&bad + changes[i].offset, &changes[i].value, changes[i].size);
		write_file(&bad, sizeof(bad), 0755);
		int r = try_exec(NAME);

		if (r != -ENOEXEC)
			printf("%s = %#lx\n", changes[i].what, (unsigned long)changes[i].value);
		CHECK_EQ(r, -ENOEXEC);
	}
}

static void two_segments_on_one_page_are_refused(void)
{
	static const uint64_t addresses[] = { 0x400000, 0x400fff, 0x3ff000, 0x10000 };

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		struct program bad = good;

		bad.second = good.segment;
		bad.second.p_vaddr = addresses[i];
		bad.second.p_offset = addresses[i] % 4096;
		bad.second.p_filesz = bad.second.p_memsz = 1;
		if (i == 2) /* reaches from below into the first */
			bad.second.p_memsz = 0x1001;
		write_file(&bad, sizeof(bad), 0755);
		CHECK_EQ(try_exec(NAME), -ENOEXEC);
	}
}

/* More memory than there is: refused, or ended on its first steps; the machine goes on. */
static void a_segment_larger_than_memory_hurts_nobody_else(void)
{
	struct program big = good;

	big.segment.p_flags = PF_R | PF_W | PF_X;
	big.segment.p_memsz = 1ul << 45;
	write_file(&big, sizeof(big), 0755);
	int r = try_exec(NAME);

	CHECK(r == -ENOMEM || r == -ENOEXEC || r == 0 || WIFSIGNALED(r));
	write_file(&good, sizeof(good), 0755);
	CHECK_EQ(try_exec(NAME), 0);
}

static void every_length_is_refused_until_all_is_there(void)
{
	for (size_t size = 0; size < sizeof(good); size++) {
		write_file(&good, size, 0755);
		CHECK_EQ(try_exec(NAME), -ENOEXEC);
	}
}

/* Random bytes over the header and the program headers: whatever happens, happens to the child. */
static void random_damage_hurts_only_the_child(void)
{
	unsigned seed = 20260000;

	for (int i = 0; i < RANDOM_FILES; i++) {
		struct program bad = good;
		int bytes = 1 + rand_r(&seed) % 4;

		while (bytes--)
			((unsigned char *)&bad)[4 + rand_r(&seed) % (sizeof(bad) - 20)] =
				rand_r(&seed) >> 8;
		write_file(&bad, sizeof(bad), 0755);
		int r = try_exec(NAME);

		if (r < 0)
			CHECK(r == -ENOEXEC || r == -ENOMEM);
	}
	write_file(&good, sizeof(good), 0755);
	CHECK_EQ(try_exec(NAME), 0);
}

static void script_is(const char *text, int expected)
{
	write_file(text, strlen(text), 0755);
	int r = try_exec(NAME);

	if (r != expected)
		printf("script %.40s\n", text);
	CHECK_EQ(r, expected);
}

static void bad_scripts_are_refused(void)
{
	char line[400] = "#!/";

	script_is("#!", -ENOEXEC);
	script_is("#!\n", -ENOEXEC);
	script_is("#!   \t \n", -ENOEXEC);
	script_is("#!/no/such/interpreter\n", -ENOENT);
	script_is("#!/bin/sh/no\n", -ENOTDIR);
	script_is("#!/tmp\n", -EACCES);
	script_is("#!" NAME "\n", -ELOOP);
	script_is("#!/etc/passwd-which-is-not-there -x\n", -ENOENT);
	memset(line + 3, 'x', 300);
	script_is(line, -ENOEXEC);
}

static void what_is_no_program_file_is_refused(void)
{
	write_file(&good, sizeof(good), 0644);
	CHECK_EQ(try_exec(NAME), -EACCES);
	CHECK_EQ(try_exec("/tmp"), -EACCES);
	CHECK_EQ(try_exec("/dev/null"), -EACCES);
	CHECK_EQ(try_exec("/proc/self/status"), -EACCES);
	CHECK_EQ(try_exec(""), -ENOENT);
	CHECK_EQ(try_exec("/tmp/not-there"), -ENOENT);
	CHECK_EQ(try_exec(NAME "/below"), -ENOTDIR);
	unlink(NAME);
	CHECK_EQ(symlink(NAME, NAME), 0);
	CHECK_EQ(try_exec(NAME), -ELOOP);
	unlink(NAME);
}

static void too_many_arguments_are_refused(void)
{
	size_t count = 3u << 20;
	char **words = malloc((count + 1) * sizeof(*words)), *none[] = { NULL };

	CHECK(words != NULL);
	for (size_t i = 0; i < count; i++)
		words[i] = "x";
	words[count] = NULL;
	write_file(&good, sizeof(good), 0755);
	CHECK(execve(NAME, words, none) == -1 && errno == E2BIG);
	CHECK(execve(NAME, none, words) == -1 && errno == E2BIG);
	free(words);
	size_t size = 3u << 20;
	char *huge = malloc(size), *one[] = { huge, NULL };

	CHECK(huge != NULL);
	memset(huge, 'y', size - 1);
	huge[size - 1] = 0;
	CHECK(execve(NAME, one, none) == -1 && errno == E2BIG);
	free(huge);
}

static void a_program_without_a_name_is_not_found(void)
{
	char *words[] = { "x", NULL }, *none[] = { NULL };
	int fd;

	write_file(&good, sizeof(good), 0755);
	fd = open(NAME, O_RDONLY);
	CHECK(fd >= 0);
	CHECK(syscall(SYS_execveat, fd, "", words, none, 0) == -1 && errno == ENOENT);
	CHECK(syscall(SYS_execveat, AT_FDCWD, "", words, none, 0) == -1 && errno == ENOENT);
	CHECK(syscall(SYS_execveat, fd, "", words, none, 0x40000000) == -1 && errno == EINVAL);
	close(fd);
}

int main(void)
{
	RUN(the_unchanged_program_runs);
	RUN(bad_headers_are_refused);
	RUN(two_segments_on_one_page_are_refused);
	RUN(a_segment_larger_than_memory_hurts_nobody_else);
	RUN(every_length_is_refused_until_all_is_there);
	RUN(random_damage_hurts_only_the_child);
	RUN(bad_scripts_are_refused);
	RUN(what_is_no_program_file_is_refused);
	RUN(too_many_arguments_are_refused);
	RUN(a_program_without_a_name_is_not_found);
	unlink(NAME);
	return test_result();
}
