/* SPDX-License-Identifier: MIT */
/* The system as a whole: its names, its size, its messages, and how to end it. */
#include <exo/abi.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include <stddef.h>
#include "abi/calls.h"
#include "abi/errno.h"
#include "abi/release.h"
#include "core/exo.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/power.h"
#include "domain/parent.h"
#include "core/string.h"
#include "core/usercopy.h"
#include "proc/process.h"
#include "time/timespec.h"

/* uname(2) and the two calls that change it. */
static struct lock names_lock = LOCK_INIT("names", RANK_LEAF);
static struct new_utsname names = {
	.sysname = SYSTEM_NAME,
	.nodename = "exo",
	.release = SYSTEM_RELEASE,
	.version = "exo library OS",
	.machine = SYSTEM_MACHINE,
	.domainname = "(none)",
};

void system_names(struct new_utsname *copy)
{
	lock_acquire(&names_lock);
	*copy = names;
	lock_release(&names_lock);
}

long sys_uname(uint64_t user)
{
	struct new_utsname copy;

	system_names(&copy);
	return copy_to_user(user, &copy, sizeof(copy));
}

static long set_name(char *field, uint64_t name_user, uint64_t size)
{
	char name[__NEW_UTS_LEN + 1] = { 0 };

	if (size > __NEW_UTS_LEN)
		return -EINVAL;
	if (current_process()->euid != 0)
		return -EPERM;
	if (copy_from_user(name, name_user, size) != 0)
		return -EFAULT;
	lock_acquire(&names_lock);
	memcpy(field, name, sizeof(name));
	lock_release(&names_lock);
	return 0;
}

long sys_sethostname(uint64_t name_user, uint64_t size)
{
	return set_name(names.nodename, name_user, size);
}

long sys_setdomainname(uint64_t name_user, uint64_t size)
{
	return set_name(names.domainname, name_user, size);
}

long sys_sysinfo(uint64_t user)
{
	struct sysinfo info = {
		.uptime = (long)(time_now_ns() / NS_PER_SECOND),
		.totalram = frames_total_count(),
		.freeram = frames_free_count(),
		.mem_unit = EXO_PAGE_SIZE,
		.procs = (uint16_t)process_count,
	};
	uint64_t load[LOAD_AVERAGES];

	load_average(load);
	for (int i = 0; i < LOAD_AVERAGES; i++)
		info.loads[i] = load[i] << (SI_LOAD_SHIFT - LOAD_SHIFT);
	return copy_to_user(user, &info, sizeof(info));
}

/* Linux's SYSLOG_ACTION numbers. */
enum { LOG_CLOSE = 0, LOG_OPEN = 1, LOG_READ = 2, LOG_READ_ALL = 3, LOG_SIZE_UNREAD = 9,
       LOG_SIZE_BUFFER = 10 };
#define LOG_PIECE 256

/* Copies the last `size` bytes of the messages out. */
static long log_read_all(uint64_t buffer, size_t size)
{
	char piece[LOG_PIECE];
	size_t total = 0, from, done = 0, n;

	while ((n = log_read(piece, sizeof(piece), total)) != 0)
		total += n;
	from = total > size ? total - size : 0;
	while (done < size && (n = log_read(piece, sizeof(piece), from + done)) != 0) {
		if (n > size - done)
			n = size - done;
		if (copy_to_user(buffer + done, piece, n) != 0)
			return -EFAULT;
		done += n;
	}
	return (long)done;
}

static long log_size(void)
{
	char piece[LOG_PIECE];
	size_t total = 0, n;

	while ((n = log_read(piece, sizeof(piece), total)) != 0)
		total += n;
	return (long)total;
}

/* There is one reader's view: everything that is kept.  Reading does not consume. */
long sys_syslog(int action, uint64_t buffer, int size)
{
	switch (action) {
	case LOG_READ:
	case LOG_READ_ALL:
		if (buffer == 0 || size < 0)
			return -EINVAL;
		return log_read_all(buffer, (size_t)size);
	case LOG_SIZE_UNREAD:
	case LOG_SIZE_BUFFER:
		return log_size();
	case LOG_CLOSE:
	case LOG_OPEN:
		return 0;
	default:
		return -EINVAL;
	}
}

/* Linux's four second magic numbers are its author's and his daughters' birthdays. */
static bool is_reboot_magic(uint32_t magic, uint32_t magic2)
{
	return magic == LINUX_REBOOT_MAGIC1 &&
	       (magic2 == LINUX_REBOOT_MAGIC2 || magic2 == LINUX_REBOOT_MAGIC2A ||
		magic2 == LINUX_REBOOT_MAGIC2B || magic2 == LINUX_REBOOT_MAGIC2C);
}

long sys_reboot(uint32_t magic, uint32_t magic2, uint32_t command, uint64_t argument)
{
	int64_t r;

	if (current_process()->euid != 0)
		return -EPERM;
	if (!is_reboot_magic(magic, magic2))
		return -EINVAL;
	switch (command) {
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0; /* the keyboard driver gives Ctrl-Alt-Del no meaning */
	case LINUX_REBOOT_CMD_POWER_OFF:
	case LINUX_REBOOT_CMD_HALT:
		r = machine_power_off();
		break;
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
		r = parent_exists() ? machine_power_off() : exo_reset();
		break;
	default:
		return -EINVAL;
	}
	log_print("reboot: the machine refused (%ld)\n", (long)r);
	return r;
}

#define PERSONALITY_LINUX 0
#define PERSONALITY_QUERY 0xffffffffu

long sys_personality(uint64_t persona)
{
	if (persona != PERSONALITY_QUERY && persona != PERSONALITY_LINUX)
		return -EINVAL;
	return PERSONALITY_LINUX;
}
