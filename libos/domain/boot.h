/* SPDX-License-Identifier: MIT */
/*
 * What a libos that makes a domain tells the libos in it, beside struct exo_info: a page that is shown
 * as a module of the name DOMAIN_BOOT_MODULE, read-only, and behind it the memory of the console.
 */
#ifndef LIBOS_DOMAIN_BOOT_H
#define LIBOS_DOMAIN_BOOT_H

#include <exo/abi.h>
#include "domain/byte_ring.h"

#define DOMAIN_BOOT_MODULE "parent"
#define DOMAIN_BOOT_VERSION 1
#define DOMAIN_WORDS_MAX 3072u

struct domain_boot {
	uint32_t version;
	uint32_t words_size;     /* bytes of `words` */
	exo_handle parent;       /* a vcore of the parent's, to be sent messages */
	int64_t real_offset_ns;  /* real time minus monotonic time */
	char words[DOMAIN_WORDS_MAX]; /* the program and its arguments, each ended by a NUL */
};
_Static_assert(sizeof(struct domain_boot) <= EXO_PAGE_SIZE, "one page");

#define DOMAIN_INPUT_SIZE 4096u
#define DOMAIN_OUTPUT_SIZE 8192u

/* The console: input from the parent, output to it.  In the pages after the boot page. */
struct domain_console {
	struct byte_ring_shared input, output;
	uint8_t input_bytes[DOMAIN_INPUT_SIZE] __attribute__((aligned(4096)));
	uint8_t output_bytes[DOMAIN_OUTPUT_SIZE];
};
#define DOMAIN_CONSOLE_PAGES (sizeof(struct domain_console) / EXO_PAGE_SIZE)

/* The status that a domain dies with: what its libos says (DOMAIN_ENDED and the wait status of its
 * program), or else that of a libos's panic (core/panic.c) or of the kernel's own. */
#define DOMAIN_ENDED (1ul << 32)
#define DOMAIN_STATUS_PANIC 127
#define DOMAIN_STATUS_FAULT 139

#endif
