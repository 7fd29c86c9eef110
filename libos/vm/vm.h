/* SPDX-License-Identifier: MIT */
/*
 * Address spaces of programs: regions, and the page tables that the kernel keeps for us.
 * One mutex covers both, so mprotect, mmap and munmap of two threads cannot interleave.
 */
#ifndef LIBOS_VM_H
#define LIBOS_VM_H

#include <exo/abi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/mutex.h"

struct file;
struct file_data;
struct vm;

/* Programs may map [VM_LOW, EXO_USER_TOP): the first pages stay empty, to catch null pointers. */
#define VM_LOW 0x10000ul
#define VM_MAPPINGS_MAX 65530 /* as Linux's vm.max_map_count */

/*
 * A program's stack ends here, and mappings begin some pages further from a round number than its limit says.
 * A TLB is looked up by the low bits of a page's number: what is used together should not have the same
 * ones, as the last page of the stack, the first mapping, and both's entries in the window on the page tables
 * would (also EXO_VCORE_BASE).
 */
#define VM_STACK_TOP (EXO_USER_TOP - 34 * EXO_PAGE_SIZE)
#define VM_MAPPINGS_OFFSET (10 * EXO_PAGE_SIZE)

struct vm *vm_create(void);               /* NULL when out of memory */
/* Of a new space that has got its mappings, before anybody else can look at it: what was kept to make them
 * of, and was not needed. */
void vm_drop_nodes(struct vm *v);
/* Copy on write, except for the pages `hot` (at most two, and not the same), which are copied at once. */
struct vm *vm_fork(struct vm *parent, const uint64_t *hot, unsigned hot_count, int *error);
/* Under process_tree_lock, by the last task of a process that gives up `copy`, which is loaded.  If that is a
 * copy of `origin`, the next one gets at once what this one wrote to first. */
void vm_tell_origin(const struct vm *copy, struct vm *origin);
void vm_get(struct vm *v);
/* The last put unmaps, and destroys the space when no CPU has it loaded. */
void vm_put(struct vm *v);
/* One of the empty spaces that are kept goes, with its page tables; false: there was none. */
bool vm_drop_spare(void);
/* How many empty spaces there are, kept and about to go: for accounting.  Each is a frame beside its page
 * tables, a handle, and some blocks of the heap. */
unsigned vm_count_spare(unsigned *blocks);
exo_handle vm_space(struct vm *v);
/* Load v on this CPU for the calling task, whose process has just got it; NULL: the domain's first
 * space.  Switches of tasks do this by themselves. */
void vm_load(struct vm *v);

/* A fault at `address` (error: the processor's page-fault error code) by a program or by libos
 * code in task context.  Returns 0, -EFAULT (no region) or -EACCES (no right; both SIGSEGV),
 * -ENOMEM, or -EIO (beyond the end of a mapped file: SIGBUS).  May block.  v's space is loaded. */
int vm_fault(struct vm *v, uint64_t address, uint64_t error);
/* The same in two steps, for who is masked at first and would do without unmasking if the access is refused:
 *
 * begin  masked; 0: v is locked, and unmasked the other one goes on, with *m; -EAGAIN: another has v locked,
 *	  and nothing is done; or what vm_fault() says of an access that is not allowed
 * go_on  unmasked, after the 0: likewise what vm_fault() says */
struct mapping;
int vm_fault_begin(struct vm *v, uint64_t address, uint64_t error, struct mapping **m);
int vm_fault_go_on(struct vm *v, struct mapping *m, uint64_t address, uint64_t error);

/*
 * The calls below take the arguments of the system calls of the same name, and give the same
 * results.  They need v's space to be loaded, as they read page table entries through the window; but for
 * vm_mmap() of a space that has no pages yet.
 */
long vm_mmap(struct vm *v, uint64_t addr, uint64_t len, int prot, int flags, struct file *f, uint64_t offset);
long vm_munmap(struct vm *v, uint64_t addr, uint64_t len);
long vm_mprotect(struct vm *v, uint64_t addr, uint64_t len, int prot);
long vm_mremap(struct vm *v, uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t new_addr);
long vm_madvise(struct vm *v, uint64_t addr, uint64_t len, int advice);
long vm_brk(struct vm *v, uint64_t addr);

/* For exec, on a new address space: where the heap begins, and the stack below EXO_USER_TOP. */
int vm_set_brk(struct vm *v, uint64_t start); /* -ENOMEM: that is where the stack is, or may be */
int vm_map_stack(struct vm *v, uint64_t limit, bool executable);

/* Also for exec: pages that will be touched at once, brought together.  v is loaded.  Whether there was
 * memory for them is not said: a touch finds out. */
enum vm_wish_kind {
	WISH_NONE,
	WISH_READ,
	WISH_WRITE,
	WISH_ZEROS, /* a page of zeros that may be written, also in a private mapping of a file */
};

struct vm_wish {
	uint64_t address;
	enum vm_wish_kind how;
	bool is_own; /* result: there is now a page, the space's own, made as it was wished */
};

void vm_touch_ahead(struct vm *v, struct vm_wish *wishes, unsigned count);

/* Spaces, counted.  Nothing in it at first. */
struct vm_cut {
	struct vm **spaces;
	unsigned count;
};
/*
 * For a file that has been cut (vm/cut.c): its pages from `first` on leave all address spaces, and every
 * TLB.  The size says so already, and rises no more until this has returned, since the inode's mutex is held.
 * False: there is too little memory, and some may still be there.  May sleep.
 *
 * vm_cut_end() lets go of the spaces, with no lock of the file system held: one may be the last use of a
 * file.
 */
bool vm_cut_file(const struct file_data *data, uint64_t first, struct vm_cut *cut);
void vm_cut_end(struct vm_cut *cut);
/* A fork is on its way, from before it copies until its child is linked: no file is cut.  Under
 * process_tree_lock alone, which begin may let go of to wait. */
void vm_copy_begin_locked(void);
void vm_copy_end_locked(void);

uint64_t vm_resident_pages(struct vm *v);
/* Those, and about as many as its page tables take: what it would give back.  Any context. */
uint64_t vm_held_pages(const struct vm *v);
uint64_t vm_resident_peak(struct vm *v);
uint64_t vm_fault_count(struct vm *v);
uint64_t vm_size_bytes(struct vm *v);
/* The line of /proc/PID/maps of the first mapping at or above *address, which moves behind that: its size, or
 * 0 if there is none.  `size` has room for a path and 128 bytes more.  No lock held. */
size_t vm_print_mapping(struct vm *v, uint64_t *address, char *buf, size_t size);
/* For exec, before others can look at v: f is what it runs, and v has the caller's reference from then on. */
void vm_set_program(struct vm *v, struct file *f);
/* That, counted, or NULL; a copy runs the same. */
struct file *vm_program(const struct vm *v);

/*
 * What the word at `address` is called by everyone who can reach it, for futexes between
 * processes: the shared object and the place in it, or v and the address if it is private.  Shared
 * objects go by numbers, each given once: who waits does not hold the object, and when it has been
 * unmapped under him, what comes to lie there is another.  -EFAULT if nothing is mapped there.
 */
int vm_shared_name(struct vm *v, uint64_t address, uint64_t *object, uint64_t *offset);

#endif
