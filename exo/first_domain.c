/* SPDX-License-Identifier: MIT */
/*
 * The first domain: the first module is its libos, the other modules are archives that it gets to
 * see; it owns all memory that the kernel does not need.  Runs once, on the boot CPU, before any
 * vcore does.  Whatever is wrong here ends in a panic: there would be nothing to run.
 */
#include "kernel.h"
#include "boot_info.h"
#include "page_table.h"
#include "sched_context.h"

#define HANDLE_FRAMES 4

/* Physical addresses, from exo.ld. */
extern const char kernel_phys_start[], boot_phys_end[], boot_stack_phys_start[], kernel_phys_end[];
#define frame_at(address) ((uint64_t)(address) >> EXO_PAGE_SHIFT)

_Static_assert(HANDLE_FRAMES * HANDLE_SLOTS_PER_FRAME >= EXO_SLOTS_FIRST_FREE, "fixed slots fit");

/* ---------------------------------------------------------------- mapping */

static void map(struct domain *d, uint64_t va, uint64_t first, uint64_t count, unsigned prot)
{
	struct space *shared = d->shared;
	struct table_place at;

	lock_acquire(&shared->lock);
	for (uint64_t frame = first; frame < first + count; frame++, va += EXO_PAGE_SIZE) {
		table_entry *entry;

		while (!(entry = page_table_walk(shared, va, 0, &at))) {
			page_table_pool_add(shared, frame_take(d->id, EXO_FRAME_TABLE));
			page_table_make(shared, &at);
		}
		if (!frame_map(frame, frame_word_owner(frame_word(frame)), d->id))
			panic("the first domain cannot map frame 0x%lx", frame);
		atomic_store(entry, frame << EXO_PAGE_SHIFT | page_table_bits(prot));
	}
	lock_release(&shared->lock);
}

/* ---------------------------------------------------------------- the image */

/* The first module's header, checked. */
static const struct exo_image *read_header(void)
{
	const struct multiboot2_module *module = &boot_info.loader.modules[0];
	const struct exo_image *image = phys_to_virt(module->start);
	uint64_t size = module->end - module->start;

	if (boot_info.loader.module_count == 0)
		panic("no libos: the boot loader brought no module");
	if (module->start % EXO_PAGE_SIZE || size < EXO_PAGE_SIZE || image->magic != EXO_IMAGE_MAGIC ||
	    image->abi_version != EXO_ABI_VERSION)
		panic("the first module (%s) is no libos for this kernel", module->name);
	if ((image->text_end | image->rodata_end | image->data_end | image->end) % EXO_PAGE_SIZE ||
	    image->text_end < EXO_SHARED_BASE || image->rodata_end < image->text_end ||
	    image->data_end < image->rodata_end || image->end < image->data_end ||
	    image->end > EXO_INFO_BASE || image->data_end - EXO_SHARED_BASE != size - EXO_PAGE_SIZE)
		panic("the libos (%s) is damaged: its parts do not fit together", module->name);
	if (!domain_entries_ok(&image->entries) || image->entries.text_end > image->text_end)
		panic("the libos (%s) has entry points outside its text", module->name);
	return image;
}

/* Without the stacks, at its end, of CPUs that are not there. */
static uint64_t image_end(const struct exo_image *image)
{
	uint64_t last = image->fault_stack_top + (EXO_CPUS_MAX - 1) * image->stack_stride;

	return image->end - (last == image->end ? EXO_CPUS_MAX - cpu_count : 0) * image->stack_stride;
}

/* The image is mapped where the loader put it. */
static void map_image(struct domain *d, const struct exo_image *image)
{
	uint64_t frame = frame_of_pointer(image) + 1;

	frame_assign(frame, frame + frame_at(image->data_end - EXO_SHARED_BASE), d->id, EXO_FRAME_PINNED);
	for (uint64_t va = EXO_SHARED_BASE; va < image_end(image); va += EXO_PAGE_SIZE, frame++) {
		unsigned prot = va < image->text_end ? EXO_PROT_READ | EXO_PROT_EXEC : EXO_PROT_READ;

		if (va >= image->rodata_end)
			prot |= EXO_PROT_WRITE;
		if (va >= image->data_end)
			frame = frame_take(d->id, EXO_FRAME_PINNED);
		map(d, va, frame, 1, prot);
	}
}

/* ---------------------------------------------------------------- the pieces */

static struct domain *make_domain(const struct exo_image *table)
{
	struct exo_domain_create create = {
		.object_frame = frame_take(0, EXO_FRAME_KERNEL),
		.handle_frame = frame_take(0, EXO_FRAME_KERNEL),
		.shared_object_frame = frame_take(0, EXO_FRAME_KERNEL),
		.shared_root_frame = frame_take(0, EXO_FRAME_TABLE), .entries = table->entries,
	};
	struct domain *d = domain_init(&create);

	for (unsigned i = 1; i < HANDLE_FRAMES; i++)
		handle_feed(d, frame_take(0, EXO_FRAME_KERNEL));
	return d;
}

static void make_vcore(struct domain *d, struct space *space, const struct exo_image *table, unsigned cpu)
{
	struct exo_vcore_create create = {
		.cpu = cpu, .object_frame = frame_take(d->id, EXO_FRAME_KERNEL),
		.vector_frame = frame_take(d->id, EXO_FRAME_KERNEL),
		.page_frame = frame_take(d->id, EXO_FRAME_PINNED),
		.stack_top = table->event_stack_top + cpu * table->stack_stride,
		.fault_stack_top = table->fault_stack_top + cpu * table->stack_stride,
	};
	struct sched_context *sc = sc_init_root(d, frame_take(d->id, EXO_FRAME_KERNEL), cpu);
	struct vcore *v;

	map(d, EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE, create.page_frame, 1, EXO_PROT_READ | EXO_PROT_WRITE);
	v = vcore_init(space, &create);
	object_init(&v->object, OBJECT_VCORE, d, create.object_frame);
	v->sc = sc;
	sc->vcore = v;
	atomic_store(&d->vcores[cpu], v);
	handle_install(d, EXO_SLOT_VCORE + cpu, OBJECT_VCORE, v->object.frame, EXO_RIGHTS_ALL);
	handle_install(d, EXO_SLOT_SC + cpu, OBJECT_SC, sc->object.frame, EXO_RIGHTS_ALL);
	object_put(&sc->object);
	object_put(&v->object);
}

/* The pages of a module become the domain's; the libos reads its archives where they are. */
static void show_modules(struct domain *d, struct exo_info *info)
{
	const struct multiboot2_info *loader = &boot_info.loader;
	uint64_t va = EXO_MODULE_BASE;

	for (unsigned i = 1; i < loader->module_count; i++) {
		const struct multiboot2_module *module = &loader->modules[i];
		uint64_t first = module->start >> EXO_PAGE_SHIFT;
		uint64_t end = (module->end + EXO_PAGE_SIZE - 1) >> EXO_PAGE_SHIFT;
		struct exo_module *out = &info->modules[info->module_count++];

		if (module->start % EXO_PAGE_SIZE)
			panic("module %u does not begin on a page", i);
		*out = (struct exo_module){ .address = va, .size = module->end - module->start,
					    .frame = first };
		string_copy(out->name, module->name, sizeof(out->name));
		frame_assign(first, end, d->id, EXO_FRAME_USER);
		map(d, va, first, end - first, EXO_PROT_READ);
		va += (end - first) * EXO_PAGE_SIZE;
	}
}

static struct exo_info *show_info(struct domain *d)
{
	static union {
		struct exo_info info;
		char pages[EXO_INFO_PAGES * EXO_PAGE_SIZE];
	} window __attribute__((aligned(EXO_PAGE_SIZE)));
	uint64_t first = ((uint64_t)&window - KERNEL_OFFSET) >> EXO_PAGE_SHIFT;

	frame_assign(first, first + EXO_INFO_PAGES, d->id, EXO_FRAME_PINNED);
	map(d, EXO_INFO_BASE, first, EXO_INFO_PAGES, EXO_PROT_READ);
	return &window.info;
}

static void install_machine(struct domain *d, uint32_t slot, enum object_kind kind, enum machine_frame frame)
{
	object_word_start(frame);
	handle_install(d, slot, kind, frame, EXO_RIGHTS_ALL);
}

/* Everything that is still FREE; what does not fit the list of ranges stays so.  Counts RAM on the
 * way. */
static void give_memory(struct domain *d, struct exo_info *info)
{
	for (uint64_t end, first = 0; first < frame_end; first = end) {
		end = frame_run_end(first);
		if (frame_is_ram(first))
			info->ram_frames += end - first;
		if (frame_word_type(frame_word(first)) != EXO_FRAME_FREE ||
		    info->range_count == EXO_RANGES_MAX)
			continue;
		info->ranges[info->range_count++] = (struct exo_range){ first, end - first };
		frame_assign(first, end, d->id, EXO_FRAME_USER);
	}
}

static void make_vcores(struct domain *d, const struct exo_image *table)
{
	uint64_t object_frame = frame_take(d->id, EXO_FRAME_KERNEL);
	struct space *space = space_init(d, object_frame, frame_take(d->id, EXO_FRAME_TABLE), d->shared);

	handle_install(d, EXO_SLOT_SPACE, OBJECT_SPACE, object_frame, EXO_RIGHTS_ALL);
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		make_vcore(d, space, table, cpu);
	object_put(&space->object);
}

/* All but the lists of memory ranges and modules, which are there already. */
static void describe(const struct domain *d, const struct exo_image *image, struct exo_info *info)
{
	info->abi_version = EXO_ABI_VERSION;
	info->cpu_count = cpu_count;
	info->domain_id = d->id;
	info->vector_size = cpu_features.vector_size;
	info->vector_features = cpu_features.vector_features;
	info->tsc_khz = cpu_by_number(0)->tsc_khz;
	info->boot_tsc = boot_info.boot_tsc;
	info->masked_limit_ns = RUN_MASKED_LIMIT_NS;
	info->frame_end = frame_end;
	info->acpi_fadt = boot_info.acpi.fadt;
	info->framebuffer_text = boot_info.loader.text_mode;
	info->image_end_page = (image_end(image) - EXO_SHARED_BASE) >> EXO_PAGE_SHIFT;
	for (unsigned i = 0; i < cpu_count; i++) {
		const struct cpu *cpu = cpu_by_number(i);

		info->cpus[i] = (struct exo_cpu_info){ 1, cpu->apic_id, cpu->tsc_khz, cpu->timer_khz,
						       EXO_HANDLE(EXO_SLOT_VCORE + i),
						       EXO_HANDLE(EXO_SLOT_SC + i) };
	}
	string_copy(info->command_line, boot_info.loader.command_line, sizeof(info->command_line));
}

void first_domain_create(void)
{
	const struct exo_image *image = read_header();
	struct domain *d = make_domain(image);
	struct exo_info *info = show_info(d);

	map_image(d, image);
	map(d, EXO_FRAMES_BASE, frame_table_frames.first, frame_table_frames.count, EXO_PROT_READ);
	show_modules(d, info);
	install_machine(d, EXO_SLOT_PORTS, OBJECT_PORTS, MACHINE_PORTS_FRAME);
	install_machine(d, EXO_SLOT_IRQS, OBJECT_IRQS, MACHINE_IRQS_FRAME);
	install_machine(d, EXO_SLOT_DEVICES, OBJECT_DEVICES, MACHINE_DEVICES_FRAME);
	make_vcores(d, image);
	d->handle_hint = EXO_SLOTS_FIRST_FREE;
	object_put(&d->shared->object);
	object_put(&d->object);

	/* From here on no frame is taken. */
	describe(d, image, info);
	frame_assign(frame_of_pointer(image), frame_of_pointer(image) + 1, 0, EXO_FRAME_FREE);
	/* What only the boot needs, its stack too: before another looks at it, this CPU has left it. */
	frame_assign(frame_at(kernel_phys_start), frame_at(boot_phys_end), 0, EXO_FRAME_FREE);
	frame_assign(frame_at(boot_stack_phys_start), frame_at(kernel_phys_end), 0, EXO_FRAME_FREE);
	give_memory(d, info);
	/* The others are started by the libos, once it has made what they share. */
	vcore_ring(d->vcores[0], VCORE_REQUEST_START);
}
