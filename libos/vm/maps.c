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

/* At most `size` bytes, 20 at least. */
static size_t print_name(const struct mapping *m, char *buf, size_t size)
{
	if (m->kind == MAPPING_HEAP)
		return string_copy(buf, "[heap]", size);
	if (m->kind == MAPPING_STACK)
		return string_copy(buf, "[stack]", size);
	if (m->memory)
		return string_copy(buf, "/dev/zero (deleted)", size);
	return m->file ? file_path(m->file, buf, size) : 0;
}

/* The mutex is not held while a name is looked for, which may need the directory tree's. */
size_t vm_print_mapping(struct vm *v, uint64_t *address, char *buf, size_t size)
{
	struct mapping *m = snapshot(v, *address);
	size_t n;

	if (!m)
		return 0;
	*address = m->region.end;
	n = (size_t)format(buf, size, "%08lx-%08lx %c%c%c%c %08lx 00:00 0 %s", m->region.start, m->region.end,
			   m->prot & PROT_READ ? 'r' : '-', m->prot & PROT_WRITE ? 'w' : '-',
			   m->prot & PROT_EXEC ? 'x' : '-', m->shared ? 's' : 'p',
			   m->file ? m->page * PAGE : 0,
			   m->file || m->memory || m->kind ? "                 " : "");
	n += print_name(m, buf + n, size - n - 1);
	buf[n++] = '\n';
	mapping_free(m);
	return n;
}

void vm_set_program(struct vm *v, struct file *f)
{
	v->program = f;
}

struct file *vm_program(const struct vm *v)
{
	if (v->program)
		file_get(v->program);
	return v->program;
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
