/* SPDX-License-Identifier: MIT */
/*
 * The kernel's part of every address space: the last top-level entry, whose table all spaces share.  So
 * the physmap and the image have their upper tables in common: each entry needs both, and what walks the
 * tables after a change of address space has fewer of them to look at.
 */
#ifndef EXO_X86_PAGING_H
#define EXO_X86_PAGING_H

#include <stddef.h>
#include <stdint.h>

#define PHYSMAP_BASE 0xffffff8000000000ul
#define PHYSMAP_END 0xffffffff00000000ul /* memory beyond that is not used */
#define MMIO_BASE PHYSMAP_END
#define KERNEL_OFFSET 0xffffffff80000000ul
#define EARLY_MAP_END (4ul << 30) /* of physical memory, what the boot page tables map */
#define KERNEL_SLOT 511 /* the kernel's top-level entry */

#define PTE_PRESENT (1ul << 0)
#define PTE_WRITE (1ul << 1)
#define PTE_USER (1ul << 2)
#define PTE_WRITE_THROUGH (1ul << 3)
#define PTE_CACHE_DISABLE (1ul << 4)
#define PTE_ACCESSED (1ul << 5)
#define PTE_DIRTY (1ul << 6)
#define PTE_LARGE (1ul << 7)
#define PTE_GLOBAL (1ul << 8)
#define PTE_NX (1ul << 63)
#define PTE_ADDRESS 0x000ffffffffff000ul

/* For what is written only before the kernel's own tables are loaded: it lies among the constants, which
 * the boot page tables leave writable and the final ones do not. */
#define READ_ONLY_AFTER_BOOT __attribute__((section(".sealed")))

/* Physical memory as the kernel sees it.  During boot only the first 4 GiB are there. */
static inline void *phys_to_virt(uint64_t physical)
{
	return (void *)(PHYSMAP_BASE + physical);
}

/* Of an address in the physmap. */
static inline uint64_t virt_to_phys(const void *address)
{
	return (uint64_t)address - PHYSMAP_BASE;
}

/* Physical address of the kernel's own top-level table: the kernel's entry and nothing else. */
extern uint64_t kernel_root;

/* Builds the kernel's part, with a zeroed area for each CPU that ACPI lists.  The caller then loads
 * kernel_root. */
void paging_init(void) __attribute__((cold));

/* Maps device registers, uncached, for good.  At boot, on the boot CPU. */
volatile void *mmio_map(uint64_t physical, size_t size);

/* Puts the kernel's part into a new top-level table. */
static inline void paging_share_kernel(uint64_t *table)
{
	table[KERNEL_SLOT] = ((const uint64_t *)phys_to_virt(kernel_root))[KERNEL_SLOT];
}

#endif
