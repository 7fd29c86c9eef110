/* SPDX-License-Identifier: MIT */
/* What an address space looks like from outside: /proc/PID/maps, and names for futexes. */
#include "vm/space.h"
#include <asm/mman.h>
#include "abi/errno.h"
#include "core/log.h"
#include "core/string.h"
#include "fs/file.h"
#include "fs/inode.h"

/* A counted copy of the first mapping at or above `address`. */
static struct mapping *snapshot(struct vm *v, uint64_t address)
{
	mutex_lock(&v->mutex);
	struct mapping *m = mapping_at_or_after(v, address);

	if (m)
		m = mapping_copy(m);
	mutex_unlock(&v->mutex);
	return m;
}

static const char *name_of(const struct mapping *m, char *path, size_t size)
{
	if (m->kind == MAPPING_HEAP)
		return "[heap]";
	if (m->kind == MAPPING_STACK)
		return "[stack]";
	if (m->memory)
		return "/dev/zero (deleted)";
	if (!m->file)
		return "";
	size_t n = file_path(m->file, path, size - 1);

	path[n < size ? n : size - 1] = '\0';
	return path;
}

static size_t print_line(const struct mapping *m, char *buf, size_t size)
{
	char path[256];

	return (size_t)format(buf, size, "%08lx-%08lx %c%c%c%c %08lx 00:00 0 %s%s\n",
			      m->region.start, m->region.end, m->prot & PROT_READ ? 'r' : '-',
			      m->prot & PROT_WRITE ? 'w' : '-', m->prot & PROT_EXEC ? 'x' : '-',
			      m->shared ? 's' : 'p', m->file ? m->page * PAGE : 0,
			      m->file || m->memory || m->kind ? "                 " : "",
			      name_of(m, path, sizeof(path)));
}

/* The mutex is not held while a name is looked for, which may need the directory tree's. */
size_t vm_print_maps(struct vm *v, char *buf, size_t size)
{
	size_t used = 0;
	uint64_t at = 0;

	for (struct mapping *m; (m = snapshot(v, at)) != NULL;) {
		char line[384];
		size_t n = print_line(m, line, sizeof(line));

		at = m->region.end;
		mapping_free(m);
		if (n >= sizeof(line) || used + n > size)
			break;
		memcpy(buf + used, line, n);
		used += n;
	}
	return used;
}

struct file *vm_first_file(struct vm *v)
{
	struct file *f = NULL;
	uint64_t at = 0;

	for (struct mapping *m; !f && (m = snapshot(v, at)) != NULL;) {
		at = m->region.end;
		f = m->file;
		if (f)
			file_get(f);
		mapping_free(m);
	}
	return f;
}

/* Numbers are made odd for memory and twice odd for files; spaces lie at multiples of eight. */
int vm_shared_name(struct vm *v, uint64_t address, uint64_t *object, uint64_t *offset)
{
	int r = 0;

	mutex_lock(&v->mutex);
	struct mapping *m = mapping_find(v, address);

	if (!m) {
		r = -EFAULT;
	} else if (!m->shared) {
		*object = (uint64_t)v;
		*offset = address;
	} else {
		*object = m->memory ? shared_memory_number(m->memory) << 2 | 1
				    : m->file->inode->number << 2 | 2;
		*offset = m->page * PAGE + (address - m->region.start);
	}
	mutex_unlock(&v->mutex);
	return r;
}
