/* SPDX-License-Identifier: MIT */
/*
 * What a new program finds on its stack: System V ABI for x86-64, 3.4.1, with Linux's auxiliary
 * vector.
 *
 *	VM_STACK_TOP
 *		8 bytes of zeros
 *		the path (AT_EXECFN)
 *		arguments and environment, as struct exec_strings has them
 *		"x86_64", 16 random bytes
 *		auxiliary vector, AT_NULL
 *		environment pointers, NULL
 *		argument pointers, NULL
 *	sp ->	argument count
 */
#include "proc/exec.h"
#include <linux/auxvec.h>
#include "abi/errno.h"
#include "abi/random.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/process.h"
#include "vm/vm.h"

#define AUXILIARY_MAX 24
#define RANDOM_SIZE 16
#define CLOCK_TICKS 100
#define HWCAP2_FSGSBASE 2 /* programs may use RDFSBASE and its like; Linux's asm/hwcap2.h */

static const char platform[] = "x86_64";

/* The words below the strings, while they are collected. */
struct words {
	uint64_t *word;
	size_t used;
};

static void push(struct words *w, uint64_t value)
{
	w->word[w->used++] = value;
}

static void push_pair(struct words *w, uint64_t key, uint64_t value)
{
	push(w, key);
	push(w, value);
}

static uint32_t processor_features(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d;
}

/* Pointers to `count` strings that lie one after the other from *at on. */
static void push_pointers(struct words *w, const char *strings, uint64_t *at, unsigned count)
{
	for (; count > 0; count--) {
		size_t n = strlen(strings) + 1;

		push(w, *at);
		strings += n;
		*at += n;
	}
	push(w, 0);
}

static void push_auxiliary(struct words *w, const struct exec_image *image, uint64_t path,
			   uint64_t platform_at, uint64_t random_at)
{
	const struct process *p = current_process();
	uint64_t headers = image->elf.program_headers_address;

	if (headers) {
		push_pair(w, AT_PHDR, image->bias + headers);
		push_pair(w, AT_PHENT, ELF_PROGRAM_HEADER_SIZE);
		push_pair(w, AT_PHNUM, image->elf.program_header_count);
	}
	push_pair(w, AT_PAGESZ, EXO_PAGE_SIZE);
	push_pair(w, AT_BASE, image->linker ? image->linker->bias : 0);
	push_pair(w, AT_FLAGS, 0);
	push_pair(w, AT_ENTRY, image->bias + image->elf.entry);
	push_pair(w, AT_UID, p->uid);
	push_pair(w, AT_EUID, p->euid);
	push_pair(w, AT_GID, p->gid);
	push_pair(w, AT_EGID, p->egid);
	push_pair(w, AT_SECURE, p->uid != p->euid || p->gid != p->egid);
	push_pair(w, AT_HWCAP, processor_features());
	push_pair(w, AT_HWCAP2, HWCAP2_FSGSBASE);
	push_pair(w, AT_CLKTCK, CLOCK_TICKS);
	push_pair(w, AT_PLATFORM, platform_at);
	push_pair(w, AT_RANDOM, random_at);
	push_pair(w, AT_EXECFN, path);
	push_pair(w, AT_NULL, 0);
}

int exec_stack_write(const struct exec_image *image, const struct exec_strings *s,
		     const char *path, uint64_t *stack_pointer)
{
	size_t path_size = strlen(path) + 1;
	uint64_t path_at = VM_STACK_TOP - 8 - path_size;
	uint64_t strings_at = path_at - s->used;
	uint64_t platform_at = strings_at - sizeof(platform);
	uint64_t random_at = (platform_at - RANDOM_SIZE) & ~15ul;
	size_t most = s->argument_count + s->environment_count + 3 + 2 * AUXILIARY_MAX;
	struct words w = { .word = heap_alloc_uncleared(most * sizeof(uint64_t)) };
	uint8_t random[RANDOM_SIZE];
	uint64_t at = strings_at;

	if (!w.word)
		return -ENOMEM;
	push(&w, s->argument_count);
	push_pointers(&w, s->data, &at, s->argument_count);
	push_pointers(&w, s->data + s->argument_bytes, &at, s->environment_count);
	push_auxiliary(&w, image, path_at, platform_at, random_at);
	*stack_pointer = (random_at - w.used * sizeof(uint64_t)) & ~15ul;
	random_bytes(random, sizeof(random));

	/* Instead of by faults; the highest page has come with the image. */
	if (*stack_pointer < VM_STACK_TOP - EXO_PAGE_SIZE)
		user_touch(*stack_pointer, VM_STACK_TOP - EXO_PAGE_SIZE - *stack_pointer, true);
	int r = copy_to_user(path_at, path, path_size);

	if (r == 0)
		r = copy_to_user(strings_at, s->data, s->used);
	if (r == 0)
		r = copy_to_user(platform_at, platform, sizeof(platform));
	if (r == 0)
		r = copy_to_user(random_at, random, sizeof(random));
	if (r == 0)
		r = copy_to_user(*stack_pointer, w.word, w.used * sizeof(uint64_t));
	heap_free(w.word);
	return r;
}
