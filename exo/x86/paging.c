/* SPDX-License-Identifier: MIT */
/* Builds the kernel's part of all spaces: kernel image, physmap, per-CPU areas, device window. */
#include "kernel.h"
#include "boot_info.h"

#define SIZE_4K (1ul << 12)
#define SIZE_2M (1ul << 21)
#define SIZE_1G (1ul << 30)
#define ENTRIES 512

#define KERNEL_RX (PTE_PRESENT | PTE_GLOBAL)
#define KERNEL_R (PTE_PRESENT | PTE_GLOBAL | PTE_NX)
#define KERNEL_RW (PTE_PRESENT | PTE_GLOBAL | PTE_NX | PTE_WRITE)
#define KERNEL_DEVICE (KERNEL_RW | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH)

uint64_t kernel_root;

/* Where mmio_map() continues. */
static uint64_t mmio_next = MMIO_BASE;

extern char kernel_text_start[], kernel_text_end[], kernel_rodata_start[], kernel_rodata_end[];
extern char kernel_data_start[], kernel_bss_end[];

static unsigned table_index(uint64_t address, unsigned level)
{
	return address >> (12 + 9 * level) & (ENTRIES - 1);
}

/* Zeroed memory of the kernel's own. */
static uint64_t take(void)
{
	return frame_take(0, EXO_FRAME_KERNEL) << EXO_PAGE_SHIFT;
}

/* The table that entry `index` points to, made if missing. */
static uint64_t *next_table(uint64_t *table, unsigned index)
{
	if (!(table[index] & PTE_PRESENT))
		table[index] = take() | PTE_PRESENT | PTE_WRITE;
	return phys_to_virt(table[index] & PTE_ADDRESS);
}

/* Level of the largest page that fits: 0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB. */
static unsigned page_level(uint64_t address, uint64_t physical, uint64_t size)
{
	uint64_t alignment = address | physical;

	if (cpu_features.gigabyte_pages && alignment % SIZE_1G == 0 && size >= SIZE_1G)
		return 2;
	return alignment % SIZE_2M == 0 && size >= SIZE_2M;
}

static void map(uint64_t address, uint64_t physical, uint64_t size, uint64_t flags)
{
	while (size > 0) {
		unsigned level = page_level(address, physical, size);
		uint64_t *table = phys_to_virt(kernel_root), page = SIZE_4K << (9 * level);

		for (unsigned l = 3; l > level; l--)
			table = next_table(table, table_index(address, l));
		table[table_index(address, level)] = physical | flags | (level ? PTE_LARGE : 0);
		address += page;
		physical += page;
		size -= page;
	}
}

static void map_image_part(const char *start, const char *end, uint64_t flags)
{
	map((uint64_t)start, (uint64_t)start - KERNEL_OFFSET, (uint64_t)(end - start), flags);
}

/* One range of RAM, except that the kernel's text and constants are only readable. */
static void map_physmap(uint64_t start, uint64_t end)
{
	uint64_t cuts[4] = { start, (uint64_t)kernel_text_start - KERNEL_OFFSET,
			     (uint64_t)kernel_rodata_end - KERNEL_OFFSET, end };

	if (cuts[1] < start || cuts[1] >= end)
		cuts[1] = cuts[2] = start;
	for (unsigned i = 0; i < 3; i++)
		map(PHYSMAP_BASE + cuts[i], cuts[i], cuts[i + 1] - cuts[i], i == 1 ? KERNEL_R : KERNEL_RW);
}

static void map_cpu_part(unsigned number, uint64_t offset, uint64_t size)
{
	uint64_t start = CPU_AREAS_BASE + number * CPU_AREA_SIZE + offset;

	for (uint64_t at = start; at < start + size; at += SIZE_4K)
		map(at, take(), SIZE_4K, KERNEL_RW);
}

/* With guard pages between the parts (cpu.h). */
static void map_cpu_area(unsigned number)
{
	map_cpu_part(number, CPU_AREA_STACK, CPU_AREA_STACK_SIZE);
	for (unsigned i = 0; i < IST_COUNT; i++)
		map_cpu_part(number, CPU_AREA_IST + i * CPU_AREA_IST_STRIDE, CPU_AREA_IST_SIZE);
}

void paging_init(void)
{
	kernel_root = take();
	map_image_part(kernel_text_start, kernel_text_end, KERNEL_RX);
	map_image_part(kernel_rodata_start, kernel_rodata_end, KERNEL_R);
	map_image_part(kernel_data_start, kernel_bss_end, KERNEL_RW);
	for (uint64_t end, first = 0; first < frame_end; first = end + 1) { /* each run of RAM */
		for (end = first; frame_is_ram(end); end = frame_run_end(end))
			;
		map_physmap(first << EXO_PAGE_SHIFT, end << EXO_PAGE_SHIFT);
	}
	for (unsigned cpu = 0; cpu < boot_info.acpi.cpu_count; cpu++)
		map_cpu_area(cpu);
}

volatile void *mmio_map(uint64_t physical, size_t size)
{
	uint64_t offset = physical % SIZE_4K;
	uint64_t length = (offset + size + SIZE_4K - 1) & ~(SIZE_4K - 1), address = mmio_next;

	map(address, physical - offset, length, KERNEL_DEVICE);
	mmio_next += length + SIZE_4K; /* and a page that catches overruns */
	return (volatile void *)(address + offset);
}
