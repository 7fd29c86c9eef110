/* SPDX-License-Identifier: MIT */
/*
 * Choosing, loading and tuning scheduler libraries by files of /proc/exo:
 *
 *	sched         the libraries, the one in force in brackets; a name that is written puts that
 *	              one in force
 *	sched-load    name, address, pages and file of each loaded library, and why the last file
 *	              was refused; a path that is written is loaded
 *	sched-unload  the names of loaded libraries; one that is written is unloaded
 *	sched-param   library, name, value, least and greatest value of each tunable number; the
 *	              first three of them, when written, change one
 *	sched-dump    every CPU's queue, as its library's dump() prints it
 */
#include "sched/proc.h"
#include <libos/sched.h>
#include "abi/errno.h"
#include "core/log.h"
#include "core/string.h"
#include "fs/procfs.h"
#include "sched/library.h"
#include "sched/load.h"
#include "sched/tunables.h"

#define LINE_MAX 256

/* What a program writes, without the newline that echo puts behind it. */
static bool copy_line(char line[LINE_MAX], const char *data, size_t n)
{
	if (n > 0 && data[n - 1] == '\n')
		n--;
	if (n == 0 || n >= LINE_MAX || memchr(data, 0, n))
		return false;
	memcpy(line, data, n);
	line[n] = 0;
	return true;
}

/* One that a loaded library of the same name comes before is not shown. */
static void print_libraries(struct text *out, void *unused)
{
	const char *current = sched_current_name(), *separator = "";
	const struct sched_ops *ops;

	mutex_lock(&sched_mutex);
	for (unsigned i = 0; (ops = sched_library(i)); i++) {
		bool in_force = strcmp(ops->name, current) == 0;

		if (library_find(ops->name) != ops)
			continue;
		text_print(out, in_force ? "%s[%s]" : "%s%s", separator, ops->name);
		separator = " ";
	}
	mutex_unlock(&sched_mutex);
	text_print(out, "\n");
}

static int swap_library(const char *data, size_t n, void *unused)
{
	char name[LINE_MAX];

	return copy_line(name, data, n) ? sched_swap(name) : -ENOENT;
}

static void print_loaded(struct text *out, void *unused)
{
	sched_loaded_print(out);
}

static int load_library(const char *data, size_t n, void *unused)
{
	char path[LINE_MAX];

	return copy_line(path, data, n) ? sched_load(path) : -ENOENT;
}

static void print_loaded_names(struct text *out, void *unused)
{
	const struct sched_ops *ops;

	for (unsigned i = 0; (ops = sched_loaded(i)); i++)
		text_print(out, "%s\n", ops->name);
}

static int unload_library(const char *data, size_t n, void *unused)
{
	char name[LINE_MAX];

	return copy_line(name, data, n) ? sched_unload(name) : -ENOENT;
}

static void print_tunables(struct text *out, void *unused)
{
	sched_tunables_print(out);
}

static int set_tunable(const char *data, size_t n, void *unused)
{
	char line[LINE_MAX];

	return copy_line(line, data, n) ? sched_tunable_write(line) : -EINVAL;
}

static void print_queues(struct text *out, void *unused)
{
	sched_dump_text(out);
}

void sched_control_init(void)
{
	static const struct {
		const char *path;
		void (*print)(struct text *out, void *unused);
		int (*write)(const char *data, size_t n, void *unused);
	} files[] = {
		{ "exo/sched", print_libraries, swap_library },
		{ "exo/sched-load", print_loaded, load_library },
		{ "exo/sched-unload", print_loaded_names, unload_library },
		{ "exo/sched-param", print_tunables, set_tunable },
		{ "exo/sched-dump", print_queues, NULL },
	};

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (proc_register(files[i].path, files[i].print, files[i].write, NULL) < 0)
			log_print("libos: no memory for /proc/%s\n", files[i].path);
}
