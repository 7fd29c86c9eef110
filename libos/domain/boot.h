/* SPDX-License-Identifier: MIT */
/*
 * What a libos that makes a domain tells the libos in it, beside struct exo_info: a page that is shown
 * as a module of the name DOMAIN_BOOT_MODULE, read-only, and behind it the memory of the console.
 */
#ifndef LIBOS_DOMAIN_BOOT_H
#define LIBOS_DOMAIN_BOOT_H

#include <exo/abi.h>
#include <stdatomic.h>
#include "core/irq.h"
#include "domain/byte_ring.h"

#define DOMAIN_BOOT_MODULE "parent"
#define DOMAIN_BOOT_VERSION 4
#define DOMAIN_WORDS_MAX 3072u

struct domain_boot {
	uint32_t version;
	uint32_t words_size;     /* bytes of `words` */
	exo_handle parent;       /* a vcore of the parent's, to be sent messages */
	uint64_t parent_id;      /* the parent's domain id, which is on messages that come from it */
	int64_t real_offset_ns;  /* real time minus monotonic time */
	/* The domain's names for interrupt lines; 0: it has not got that one.  The parent goes on writing.  A
	 * relayed one (domain_line_is_relayed()) interrupts the parent, which counts here. */
	_Atomic exo_handle lines[IRQ_LINES];
	_Atomic uint32_t interrupts[IRQ_LINES];
	_Atomic uint32_t lines_wanted; /* a bit for each line that is asked back; before the REVOKE message */
	char words[DOMAIN_WORDS_MAX]; /* the program and its arguments, each ended by a NUL */
};
_Static_assert(sizeof(struct domain_boot) <= EXO_PAGE_SIZE, "one page");

/* The name of a line that the parent has from its own parent: which time it was given, and no handle. */
static inline exo_handle domain_line_relayed(uint32_t time)
{
	return (exo_handle)time << 32;
}

static inline bool domain_line_is_relayed(exo_handle name)
{
	return name != 0 && (name & UINT32_MAX) == 0;
}

/* What messages from the parent say, in word[0]: nothing, but that there may be something new on the
 * console or in this page; or that the word[2] frames from word[1] on are the domain's now. */
enum domain_message { DOMAIN_MESSAGE_LOOK = 0, DOMAIN_MESSAGE_MEMORY = 1 };

#define DOMAIN_INPUT_SIZE 4096u
#define DOMAIN_OUTPUT_SIZE 8192u

/* The console: input from the parent, output to it.  In the pages after the boot page. */
struct domain_console {
	struct byte_ring_shared input, output;
	_Atomic uint32_t answers[IRQ_LINES]; /* which interrupt of a relayed line the domain has seen to */
	uint8_t input_bytes[DOMAIN_INPUT_SIZE] __attribute__((aligned(4096)));
	uint8_t output_bytes[DOMAIN_OUTPUT_SIZE];
};
#define DOMAIN_CONSOLE_PAGES (sizeof(struct domain_console) / EXO_PAGE_SIZE)

/* The status that a domain dies with: what its libos says (DOMAIN_ENDED and the wait status of its
 * program), or else that of a libos's panic (core/panic.c) or of the kernel's own. */
#define DOMAIN_ENDED (1ul << 32)
#define DOMAIN_STATUS_PANIC 127

#endif
