/* SPDX-License-Identifier: MIT */
/* What domains share with each other: see link.h. */
#include "domain/link.h"
#include "abi/errno.h"
#include "core/exo.h"
#include "core/log.h"
#include "core/string.h"
#include "domain/channel.h"
#include "domain/domain.h"
#include "domain/parent.h"
#include "domain/service.h"

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

/* What stands behind "kind " in text; NULL if it begins otherwise. */
static const char *name_behind(const char *text, const char *kind)
{
	size_t n = strlen(kind);

	return strncmp(text, kind, n) == 0 && text[n] == ' ' ? text + n + 1 : NULL;
}

bool link_next(const char *kind, uint32_t *at, struct link *out)
{
	while (*at < machine()->module_count) {
		const struct exo_module *m = &machine()->modules[(*at)++];
		const char *name = name_behind(m->name, kind);

		if (!name || !parent_exists())
			continue;
		string_copy(out->name, name, sizeof(out->name));
		out->page = (const struct link_page *)m->address;
		out->memory = (char *)m->address + EXO_PAGE_SIZE;
		return true;
	}
	return false;
}

/* Acquire: the names are there.  Those that have been overwritten meanwhile are lost to the table. */
void link_clean(const struct link_page *page, uint32_t *seen)
{
	uint32_t count = atomic_load_explicit(&page->retired_count, memory_order_acquire);

	if (count - *seen > LINK_RETIRED)
		*seen = count - LINK_RETIRED;
	for (; *seen != count; (*seen)++)
		exo_handle_drop(page->retired[*seen % LINK_RETIRED]);
}

struct mutex links_mutex;

void links_init(void)
{
	mutex_init(&links_mutex, "links", MUTEX_LINKS);
	channels_init();
	services_init();
}

void links_rung(void)
{
	channels_rung();
	services_rung();
}

/* ---------------------------------------------------------------- in the one that makes it */

static bool is_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= LINK_NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

/* How a domain is shown what it shares. */
static const struct kind {
	const char *name;
	int (*show)(struct domain *d, const char *name, uint64_t *va);
} kinds[] = {
	{ CHANNEL_KIND, channel_join },
	{ SERVICE_SERVE, service_show_server },
	{ SERVICE_USE, service_show_caller },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* NULL: there is no such thing; *name is what stands behind the kind. */
static const struct kind *kind_of(const char *words, const char **name)
{
	for (unsigned i = 0; i < KINDS; i++) {
		*name = name_behind(words, kinds[i].name);
		if (*name)
			return &kinds[i];
	}
	return NULL;
}

bool link_is_known(const char *words)
{
	const char *name;

	return kind_of(words, &name) && is_name(name);
}

int links_show(struct domain *d, uint64_t va)
{
	int r = 0;

	for (const char *at = d->links; at < d->links + d->links_size && r == 0; at += strlen(at) + 1) {
		const char *name;

		r = kind_of(at, &name)->show(d, name, &va);
	}
	return r;
}

int links_connect(struct domain *d)
{
	int channels = channels_connect(d), services = services_connect(d);

	return channels ? channels : services;
}

void links_leave(struct domain *d, bool lost)
{
	channels_leave(d, lost);
	services_leave(d, lost);
}

/* Its maker's own name, which others use too, is not retired. */
void link_set_peer(struct link_page *page, unsigned index, exo_handle name, const struct domain *d)
{
	exo_handle old = atomic_exchange(&page->peers[index], name);
	uint32_t count = atomic_load_explicit(&page->retired_count, memory_order_relaxed);

	if (!old || old == d->boot->parent)
		return;
	page->retired[count % LINK_RETIRED] = old;
	atomic_store_explicit(&page->retired_count, count + 1, memory_order_release);
}

int link_show(struct domain *d, uint64_t *va, const char *kind, const char *name,
	      const struct link_page *page, const void *memory, size_t count)
{
	struct exo_module *m = &d->info->modules[d->info->module_count];
	int r;

	if (d->info->module_count == EXO_MODULES_MAX)
		return -ENOSPC;
	*m = (struct exo_module){ .address = *va, .size = (1 + count) * EXO_PAGE_SIZE };
	format(m->name, sizeof(m->name), "%s %s", kind, name);
	r = domain_map_heap(d, *va, page, 1, EXO_PROT_READ);
	if (r == 0)
		r = domain_map_heap(d, *va + EXO_PAGE_SIZE, memory, count,
				    EXO_PROT_READ | EXO_PROT_WRITE);
	*va += m->size;
	d->info->module_count += r == 0;
	return r;
}
