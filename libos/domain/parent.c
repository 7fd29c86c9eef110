/* SPDX-License-Identifier: MIT */
/* A child domain's console and end: see parent.h. */
#include "domain/parent.h"
#include <asm/termbits.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/lock.h"
#include "core/log.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "domain/boot.h"
#include "domain/pressure.h"
#include "fs/device.h"
#include "proc/process.h"
#include "tty/tty.h"

#define MAJOR_EXIT 243 /* Linux's range for local use */
#define INPUT_PIECE 64u

/* Fixed after parent_find(). */
static const struct domain_boot *boot;
static struct domain_console *console;

static struct tty terminal;
static uint8_t terminal_output[TTY_OUTPUT_SIZE]; /* of it */
static bool listening; /* fixed before the first input */

static struct byte_ring input;     /* of whoever has raised `asked` from 0 */
static _Atomic uint32_t asked;     /* calls of receive() that are in progress or to be made up for */
static struct byte_ring output;    /* under the terminal's lock */

bool parent_find(void)
{
	const struct exo_info *info = (const struct exo_info *)EXO_INFO_BASE;

	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct exo_module *m = &info->modules[i];

		if (strcmp(m->name, DOMAIN_BOOT_MODULE) == 0)
			boot = (const struct domain_boot *)m->address;
	}
	if (boot)
		console = (struct domain_console *)((char *)boot + EXO_PAGE_SIZE);
	return boot != NULL;
}

bool parent_exists(void)
{
	return boot != NULL;
}

const char *parent_word(const char *at)
{
	at = at ? at + strlen(at) + 1 : boot->words;
	return at < boot->words + boot->words_size ? at : NULL;
}

exo_handle parent_line(unsigned number)
{
	return atomic_load(&boot->lines[number]);
}

bool parent_wants_line(unsigned number)
{
	return atomic_load(&boot->lines_wanted) >> number & 1;
}

uint32_t parent_interrupts(unsigned number)
{
	return atomic_load(&boot->interrupts[number]);
}

/* Like everything that is new, it is found after whatever message comes: see ring_parent(). */
void parent_answer(unsigned number, uint32_t interrupt)
{
	atomic_store(&console->answers[number], interrupt);
	parent_ring();
}

int64_t parent_real_offset_ns(void)
{
	return boot->real_offset_ns;
}

_Noreturn void parent_leave(int wait_status)
{
	for (;;)
		exo_domain_kill(EXO_HANDLE(EXO_SLOT_DOMAIN), DOMAIN_ENDED | (uint32_t)wait_status);
}

/* ---------------------------------------------------------------- the console */

/* If it finds the mailbox full, the parent has yet to take a message, and looks at its consoles after
 * that. */
static void ring_parent(bool ring)
{
	if (ring)
		(void)exo_send(boot->parent, 0, 0, 0);
}

/* With the terminal's lock held.  Why it is told when there is room again: byte_ring.h. */
static size_t send(struct tty *t, const uint8_t *bytes, size_t n)
{
	size_t done = 0;

	do {
		bool ring;
		size_t put = byte_ring_put(&output, bytes + done, n - done, &ring);

		ring_parent(ring);
		done += put;
	} while (done < n && !byte_ring_writer_sleeps(&output));
	return done;
}

void parent_ring(void)
{
	ring_parent(true);
}

void parent_message(const struct exo_message *m)
{
	if (boot && m->kind >> 8 == boot->parent_id && m->word[0] == DOMAIN_MESSAGE_MEMORY)
		frames_add(m->word[1], m->word[2]);
}

static size_t take(uint8_t *bytes, size_t n)
{
	bool ring = false;
	size_t got;

	do
		got = byte_ring_take(&input, bytes, n, &ring);
	while (got == 0 && !byte_ring_reader_sleeps(&input) && !input.broken);
	ring_parent(ring);
	return got;
}

/*
 * Until there is nothing more, or no room: then resume_input() goes on.  Masked, or in a task.  One
 * at a time, so that bytes stay in order: who finds another at it leaves a mark, and the other goes
 * on for him.
 */
static void receive(struct tty *t)
{
	uint8_t bytes[INPUT_PIECE];
	uint32_t seen = 1;
	size_t n;

	if (atomic_fetch_add(&asked, 1) != 0)
		return;
	do
		while (tty_wants_input(t, sizeof(bytes)) && (n = take(bytes, sizeof(bytes))) > 0)
			tty_input(t, bytes, n);
	while (!atomic_compare_exchange_strong(&asked, &seen, 0));
}

static const struct tty_driver driver = { .send = send, .resume_input = receive };

void parent_rung(void)
{
	if (!listening)
		return;
	tty_output_ready(&terminal);
	receive(&terminal);
}

/* ---------------------------------------------------------------- the end */

static long exit_write(struct file *f, uint64_t user, size_t n, uint64_t *pos)
{
	int status;

	if (current_process()->euid != 0)
		return -EPERM;
	if (n != sizeof(status))
		return -EINVAL;
	if (copy_from_user(&status, user, sizeof(status)) != 0)
		return -EFAULT;
	parent_leave(status);
}

static const struct file_ops exit_ops = { .write = exit_write };

/* What the parent's own terminal does to lines must not be done twice. */
static void set_plain(struct tty *t)
{
	struct termios settings = t->line.settings;

	settings.c_oflag &= ~(tcflag_t)OPOST;
	settings.c_lflag &= ~(tcflag_t)ECHO;
	line_change_settings(&t->line, &settings);
}

struct tty *parent_console_init(void)
{
	if (!boot)
		return NULL;
	byte_ring_init(&input, &console->input, console->input_bytes, DOMAIN_INPUT_SIZE);
	byte_ring_init(&output, &console->output, console->output_bytes, DOMAIN_OUTPUT_SIZE);
	tty_init(&terminal, &driver, NULL, terminal_output, sizeof(terminal_output));
	set_plain(&terminal);
	listening = true;
	receive(&terminal);
	pressure_init();
	if (device_register("exo/exit", DEVICE_FOR_ROOT, MAJOR_EXIT, 0, &exit_ops, NULL) != 0)
		log_print("domain: /dev/exo/exit cannot be made\n");
	return &terminal;
}
