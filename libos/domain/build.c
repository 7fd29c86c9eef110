/* SPDX-License-Identifier: MIT */
/*
 * Making a domain: what the kernel does for the first one (exo/first_domain.c), done for a child, in
 * ring 3, out of frames of ours.
 *
 *	its shared region          where it comes from
 *	the image                  the file, copied; given to it
 *	vcore pages                ours
 *	struct exo_info            our heap, so that we can go on writing to it
 *	the frame table            as in our own region
 *	the archives               copied; given to it
 *	struct domain_boot         our heap
 *	the console                our heap
 *	channels and such          our heap
 *
 * Everything else that it gets is memory, which it uses as it likes.
 */
#include "domain/domain.h"
#include <linux/fcntl.h>
#include "abi/errno.h"
#include "core/exo.h"
#include "core/frames.h"
#include "core/handles.h"
#include "core/memory.h"
#include "core/string.h"
#include "fs/file.h"
#include "time/time.h"

#define HANDLES_PER_PAGE 64u
#define OTHER_HANDLES 24u /* itself, its spaces, its parent, channels */
#define PIECE_PAGES 16u /* of the image, read at once */

static const struct exo_info *machine(void)
{
	return (const struct exo_info *)EXO_INFO_BASE;
}

/* ---------------------------------------------------------------- the image */

static bool image_is_sound(const struct exo_image *image, uint64_t size)
{
	uint64_t all = image->text_end | image->rodata_end | image->data_end | image->end;

	return image->magic == EXO_IMAGE_MAGIC && image->abi_version == EXO_ABI_VERSION &&
	       all % EXO_PAGE_SIZE == 0 && image->text_end >= EXO_SHARED_BASE &&
	       image->rodata_end >= image->text_end && image->data_end >= image->rodata_end &&
	       image->end >= image->data_end && image->end <= EXO_INFO_BASE &&
	       image->data_end - EXO_SHARED_BASE + EXO_PAGE_SIZE == size;
}

static unsigned image_prot(const struct exo_image *image, uint64_t va)
{
	if (va < image->text_end)
		return EXO_PROT_READ | EXO_PROT_EXEC;
	return va < image->rodata_end ? EXO_PROT_READ : EXO_PROT_READ | EXO_PROT_WRITE;
}

/* One page with what is in a page of our heap, or with zeros. */
static int image_page(struct domain *d, uint64_t va, const void *contents, unsigned prot)
{
	uint64_t frame = domain_memory_row(&d->memory, 1);
	struct exo_op copy = { .code = EXO_OP_COPY, .count = 1, .frame = frame };
	int r = 0;

	if (!frame)
		return -ENOMEM;
	if (contents) {
		copy.source = frame_of_page(contents);
		r = domain_update_contents(&copy, 1);
	}
	if (r == 0)
		r = domain_give(d, frame, 1, contents ? EXO_GIVE_CONTENTS : 0);
	return r ? r : domain_map(d, va, frame, 1, prot);
}

/* In the file the header's page comes before the image. */
static int image_contents(struct domain *d, struct file *f, const struct exo_image *image, char *piece)
{
	for (uint64_t va = EXO_SHARED_BASE; va < image->data_end;) {
		uint64_t left = (image->data_end - va) / EXO_PAGE_SIZE;
		uint64_t pages = left < PIECE_PAGES ? left : PIECE_PAGES;
		long n = file_read_kernel(f, piece, pages * EXO_PAGE_SIZE,
					  va - EXO_SHARED_BASE + EXO_PAGE_SIZE);

		if (n != (long)(pages * EXO_PAGE_SIZE))
			return n < 0 ? (int)n : -EIO;
		for (uint64_t i = 0; i < pages; i++, va += EXO_PAGE_SIZE) {
			int r = image_page(d, va, piece + i * EXO_PAGE_SIZE, image_prot(image, va));

			if (r)
				return r;
		}
	}
	return 0;
}

static int image_zeros(struct domain *d, const struct exo_image *image)
{
	uint64_t va = image->data_end, first;

	while (va < image->end) {
		uint64_t n = domain_memory_some(&d->memory, (image->end - va) / EXO_PAGE_SIZE, &first);
		int r = n ? domain_give(d, first, n, 0) : -ENOMEM;

		if (r == 0)
			r = domain_map(d, va, first, n, image_prot(image, va));
		if (r)
			return r;
		va += n * EXO_PAGE_SIZE;
	}
	return 0;
}

/* ---------------------------------------------------------------- what it is told */

/* Its archives are copies of ours, since its programs map the files in them. */
static int copy_archive(struct domain *d, const struct exo_module *from, uint64_t *va)
{
	uint64_t pages = (from->size + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	uint64_t first = domain_memory_row(&d->memory, pages);
	struct exo_op copy = { .code = EXO_OP_COPY, .count = (uint32_t)pages, .frame = first,
			       .source = from->frame };
	int r;

	if (!first)
		return -ENOMEM;
	r = domain_update_contents(&copy, 1);
	if (r == 0)
		r = domain_give(d, first, pages, EXO_GIVE_CONTENTS);
	if (r == 0)
		r = domain_map(d, *va, first, pages, EXO_PROT_READ);
	if (r)
		return r;
	d->info->modules[d->info->module_count++] = (struct exo_module){
		.address = *va, .size = from->size, .frame = first,
	};
	string_copy(d->info->modules[d->info->module_count - 1].name, from->name, sizeof(from->name));
	*va += pages * EXO_PAGE_SIZE;
	return 0;
}

static int copy_archives(struct domain *d, uint64_t *va)
{
	int r = 0;

	for (uint32_t i = 0; i < machine()->module_count && r == 0; i++)
		if (strncmp(machine()->modules[i].name, "archive", 7) == 0 &&
		    d->info->module_count < EXO_MODULES_MAX - 1)
			r = copy_archive(d, &machine()->modules[i], va);
	return r;
}

/* The boot page and the console behind it. */
static int show_boot(struct domain *d, uint64_t va)
{
	exo_handle own = machine()->cpus[d->reports_to].vcore;
	int64_t parent = exo_handle_copy(own, d->domain, EXO_RIGHT_USE);
	struct exo_module *m = &d->info->modules[d->info->module_count++];
	int r;

	if (parent < 0)
		return (int)parent;
	d->boot->version = DOMAIN_BOOT_VERSION;
	d->boot->parent = (exo_handle)parent;
	d->boot->parent_id = machine()->domain_id;
	d->boot->real_offset_ns = (int64_t)(time_real_ns() - time_now_ns());
	d->boot->words_size = d->words_size;
	memcpy(d->boot->words, d->words, d->words_size);
	*m = (struct exo_module){ .address = va, .size = (1 + DOMAIN_CONSOLE_PAGES) * EXO_PAGE_SIZE,
				  .name = DOMAIN_BOOT_MODULE };
	r = domain_map_heap(d, va, d->boot, 1, EXO_PROT_READ);
	return r ? r : domain_map_heap(d, va + EXO_PAGE_SIZE, d->console, DOMAIN_CONSOLE_PAGES,
				EXO_PROT_READ | EXO_PROT_WRITE);
}

/* The same frames as in our own region. */
static int show_frame_table(struct domain *d)
{
	uint64_t end = EXO_FRAMES_BASE + machine()->frame_end * sizeof(struct exo_frame_info);
	int r = 0;

	for (uint64_t va = EXO_FRAMES_BASE; va < end && r == 0; va += EXO_PAGE_SIZE)
		r = domain_map(d, va, EXO_PTE_FRAME(EXO_PTE(va)), 1, EXO_PROT_READ);
	return r;
}

/* All but memory, modules and vcores. */
static void describe(struct domain *d, const struct exo_image *image)
{
	struct exo_info *info = d->info;

	info->abi_version = EXO_ABI_VERSION;
	info->cpu_count = machine()->cpu_count; /* it may come to have others */
	info->vector_size = machine()->vector_size;
	info->vector_features = machine()->vector_features;
	info->tsc_khz = machine()->tsc_khz;
	info->boot_tsc = machine()->boot_tsc;
	info->masked_limit_ns = machine()->masked_limit_ns;
	info->frame_end = machine()->frame_end;
	info->ram_frames = d->memory_bytes / EXO_PAGE_SIZE;
	info->image_end_page = (uint32_t)((image->end - EXO_SHARED_BASE) / EXO_PAGE_SIZE);
	string_copy(info->command_line, d->command_line, sizeof(info->command_line));
}

/* What is left of its frames. */
static int give_memory(struct domain *d)
{
	struct exo_info *info = d->info;

	list_for_each(link, &d->memory.runs) {
		struct domain_run *run = domain_run_of(link);
		uint64_t first = run->first + run->used, count = run->count - run->used;
		int r;

		run->memory = run->used;
		if (count == 0)
			continue;
		r = domain_give(d, first, count, 0);
		if (r)
			return r;
		run->used += count;
		info->ranges[info->range_count++] = (struct exo_range){ first, count };
	}
	if (info->range_count == 0)
		return -ENOMEM;
	/* The kernel's number for it is on everything that it owns. */
	info->domain_id = frame_owner(info->ranges[0].first);
	return 0;
}

/* ---------------------------------------------------------------- all of it */

/* Its vcores and SCs may want more handles than the first page of its table has room for, before it can
 * feed any. */
static int feed_handles(struct domain *d)
{
	unsigned needs = OTHER_HANDLES + 2 * (unsigned)__builtin_popcountl(d->cpus);

	for (unsigned has = HANDLES_PER_PAGE; has < needs; has += HANDLES_PER_PAGE) {
		uint64_t frame = domain_memory_row(&d->memory, 1);
		int64_t r;

		if (!frame)
			return -ENOMEM;
		do /* EAGAIN: for a flush of another CPU */
			r = exo_handle_feed(d->domain, frame);
		while (r == -EAGAIN);
		if (r < 0)
			return (int)r;
	}
	return 0;
}

static int create(struct domain *d, const struct exo_image *image)
{
	uint64_t first = domain_memory_row(&d->memory, 6);
	struct exo_domain_create args = {
		.object_frame = first, .handle_frame = first + 1,
		.shared_object_frame = first + 2, .shared_root_frame = first + 3,
		.entries = image->entries, .parent_word = d->id,
	};
	int64_t r;

	if (!first || handles_make_room(3 + 2 * (unsigned)__builtin_popcountl(d->cpus)) != 0)
		return -ENOMEM;
	r = exo_domain_create(machine()->cpus[d->reports_to].vcore, &args);
	if (r < 0)
		return (int)r;
	d->domain = (exo_handle)r;
	d->shared = args.shared;
	r = exo_space_create(d->domain, first + 4, first + 5);
	if (r < 0)
		return (int)r;
	d->space = (exo_handle)r;
	/* The first to be copied becomes EXO_SLOT_SPACE. */
	r = exo_handle_copy(d->space, d->domain, DOMAIN_OWN_RIGHTS);
	return r < 0 ? (int)r : feed_handles(d);
}

static int fill(struct domain *d, struct file *f, const struct exo_image *image, char *piece)
{
	uint64_t va = EXO_MODULE_BASE;
	int r = copy_archives(d, &va);

	if (r == 0)
		r = image_contents(d, f, image, piece);
	if (r == 0)
		r = image_zeros(d, image);
	if (r == 0)
		r = show_frame_table(d);
	if (r == 0)
		r = domain_map_heap(d, EXO_INFO_BASE, d->info, EXO_INFO_PAGES, EXO_PROT_READ);
	if (r == 0)
		r = show_boot(d, va);
	if (r == 0)
		r = links_show(d, va + (1 + DOMAIN_CONSOLE_PAGES) * EXO_PAGE_SIZE);
	if (r == 0)
		r = domain_make_vcores(d, image);
	if (r == 0)
		r = give_memory(d);
	return r;
}

static int open_image(struct domain *d, struct file **f, char *page)
{
	int error = 0;

	*f = file_open_kernel(d->image, O_RDONLY, &error);
	if (!*f)
		return error;
	if (file_read_kernel(*f, page, EXO_PAGE_SIZE, 0) != (long)EXO_PAGE_SIZE ||
	    !image_is_sound((const struct exo_image *)page, file_size(*f)))
		error = -ENOEXEC;
	return error;
}

int domain_build(struct domain *d)
{
	char *header = pages_alloc(1), *piece = pages_alloc(PIECE_PAGES);
	struct file *f = NULL;
	int r = -ENOMEM;

	d->info = pages_alloc(EXO_INFO_PAGES);
	d->boot = pages_alloc(1);
	d->console = pages_alloc(DOMAIN_CONSOLE_PAGES);
	if (header && piece && d->info && d->boot && d->console)
		r = open_image(d, &f, header);
	if (r == 0)
		r = domain_memory_take(&d->memory, d->memory_bytes / EXO_PAGE_SIZE,
				       EXO_RANGES_MAX);
	if (r == 0) {
		describe(d, (const struct exo_image *)header);
		r = create(d, (const struct exo_image *)header);
	}
	if (r == 0)
		r = fill(d, f, (const struct exo_image *)header, piece);
	if (f)
		file_put(f);
	heap_free(header);
	heap_free(piece);
	return r;
}
