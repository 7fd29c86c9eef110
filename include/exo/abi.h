/* SPDX-License-Identifier: MIT */
/*
 * The interface between exo and a library OS.  This is the only header that both sides share;
 * it uses nothing but fixed-width integers.
 *
 * An exo call is a SYSCALL instruction inside the domain's libos text range: RAX holds one of
 * enum exo_call, arguments are in RDI RSI RDX R10 R8 R9, the result comes back in RAX (>= 0, or a
 * negated Linux errno).  RCX and R11 are clobbered, everything else is preserved.  A SYSCALL
 * anywhere else is a foreign system call (see struct exo_entries).
 */
#ifndef EXO_ABI_H
#define EXO_ABI_H

#include <stdint.h>

#define EXO_ABI_VERSION 4

#define EXO_PAGE_SHIFT 12
#define EXO_PAGE_SIZE 4096ul
#define EXO_CPUS_MAX 64

/* ---------------------------------------------------------------- address map of ring 3 */

#define EXO_USER_TOP 0x7e8000000000ul    /* private part of an address space: [0, EXO_USER_TOP) */
#define EXO_PTWIN_BASE 0x7e8000000000ul  /* read-only window on the space's own page tables */
#define EXO_SHARED_BASE 0x7f0000000000ul /* one top-level slot, common to a domain's spaces */
#define EXO_SHARED_END 0x7f8000000000ul
#define EXO_INFO_BASE 0x7f0007000000ul   /* struct exo_info, read-only; the image ends before it */
#define EXO_FRAMES_BASE 0x7f0008000000ul /* struct exo_frame_info[frame], read-only */
/* + cpu * EXO_VCORE_STRIDE: struct exo_vcore_page.  Not as round as the others: a TLB is looked up by the low
 * bits of a page's number, and these pages are used together with the first of those regions. */
#define EXO_VCORE_BASE 0x7f003c018000ul
#define EXO_VCORE_STRIDE 0x1000ul
/* From here to EXO_MODULE_BASE the libos maps what it likes; in the same 2 MiB as the vcores' pages, so that
 * what is used together with them can be found through the same page table. */
#define EXO_DYNAMIC_BASE 0x7f003c058000ul
#define EXO_MODULE_BASE 0x7f4000000000ul /* the archives, read-only */

/* The page table entry of a virtual address, seen through the window. */
#define EXO_PTE(va) \
	(*(const volatile uint64_t *)(EXO_PTWIN_BASE + (((uint64_t)(va) >> 9) & 0x7ffffffff8ul)))
#define EXO_PDE(va) \
	(*(const volatile uint64_t *)(EXO_PTWIN_BASE + (253ul << 30) + \
				      (((uint64_t)(va) >> 18) & 0x3ffffff8ul)))
#define EXO_PDPTE(va) \
	(*(const volatile uint64_t *)(EXO_PTWIN_BASE + (253ul << 30) + (253ul << 21) + \
				      (((uint64_t)(va) >> 27) & 0x1ffff8ul)))
#define EXO_PML4E(va) \
	(*(const volatile uint64_t *)(EXO_PTWIN_BASE + (253ul << 30) + (253ul << 21) + \
				      (253ul << 12) + (((uint64_t)(va) >> 36) & 0xff8ul)))

/*
 * ES tells in ring 3 which CPU this is: EXO_CPU_SELECTOR + (number << EXO_CPU_SELECTOR_SHIFT).  The kernel
 * loads it whenever it changes the vcore, and no CPU has a descriptor for another's number; a domain
 * that loads null there does not know any more where it is.
 */
#define EXO_CPU_SELECTOR 0x38
#define EXO_CPU_SELECTOR_SHIFT 3

/* ---------------------------------------------------------------- registers */

/* The order is that in which the entry stubs push them. */
struct exo_regs {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector; /* fault or interrupt number; of meaning only in a fault area */
	uint64_t error;  /* the processor's error code, 0 where there is none */
	uint64_t rip, cs, rflags, rsp, ss;
};

/* ---------------------------------------------------------------- handles */

/* {slot, generation}: slot in bits 0..31, generation in bits 32..63.  0 is never valid. */
typedef uint64_t exo_handle;

enum exo_right {
	EXO_RIGHT_USE = 1 << 0,    /* map, switch to, send to, run on: the plain use of the thing */
	EXO_RIGHT_WRITE = 1 << 1,  /* map writable; change */
	EXO_RIGHT_MANAGE = 1 << 2, /* bind, destroy, kill, reclaim */
	EXO_RIGHT_COPY = 1 << 3,   /* may be copied to another domain */
	EXO_RIGHT_REVOKE = 1 << 4, /* may be revoked */
	EXO_RIGHT_DONATE = 1 << 5, /* a vcore: may be given the rest of a slice */
	EXO_RIGHTS_ALL = (1 << 6) - 1,
};

/* What the first domain starts with, generation 1; others with the first and the third.  All rights, but
 * that to revoke those two. */
enum exo_first_slot {
	EXO_SLOT_DOMAIN = 1,  /* itself */
	EXO_SLOT_SPACE = 2,   /* the address space it starts in */
	EXO_SLOT_SHARED = 3,  /* its shared region, updated like an address space */
	EXO_SLOT_PORTS = 4,   /* every I/O port but those that the kernel keeps */
	EXO_SLOT_IRQS = 5,    /* every interrupt line */
	EXO_SLOT_DEVICES = 6, /* every physical page that is not RAM and not the kernel's */
	EXO_SLOT_VCORE = 64,  /* + cpu */
	EXO_SLOT_SC = 128,    /* + cpu */
	EXO_SLOTS_FIRST_FREE = 192,
};
#define EXO_HANDLE(slot) ((1ul << 32) | (slot))

/* ---------------------------------------------------------------- vcores */

/* Bits of exo_vcore_page.pending. */
enum exo_event {
	EXO_EVENT_START = 1 << 0,    /* first entry of this vcore */
	EXO_EVENT_TIMER = 1 << 1,    /* the deadline has passed */
	EXO_EVENT_MAILBOX = 1 << 2,  /* the ring holds messages */
	EXO_EVENT_DOORBELL = 1 << 3, /* rung by another vcore of the domain */
	EXO_EVENT_BUDGET = 1 << 4,   /* the slice or budget ran out; the vcore runs again now */
	EXO_EVENT_REVOKE = 1 << 5,   /* something is or was taken: see the mailbox, and `taken` */
	EXO_EVENT_TLB = 1 << 6,      /* an epoch that this vcore waits for has been acknowledged */
	EXO_EVENT_DEATH = 1 << 7,    /* a DEATH message found no room: see EXO_STATUS_ASK */
};

/* exo_vcore_page.cause, with the fault areas. */
enum exo_cause {
	EXO_CAUSE_FAULT = 1,   /* a processor exception; regs.vector says which */
	/* An upcall was pending for too long while masked.  Does not come while RSP is in the page below
	 * fault_stack_top, so the entry may put cause back to 0 before it has left its stack. */
	EXO_CAUSE_OVERRUN = 2,
};

enum exo_message_kind { /* low 8 bits of a message's kind word */
	EXO_MESSAGE_USER = 0,   /* exo_send; word[0..2] are the sender's */
	EXO_MESSAGE_IRQ = 1,    /* word[0] = the word given at binding, word[1] = line */
	EXO_MESSAGE_DEATH = 2,  /* a child domain died: word[0] = its id, word[1] = status */
	/* Give it up, or it is taken: word[0] = enum exo_revoked | number << 8, word[1] = the deadline (TSC),
	 * word[2] = count. */
	EXO_MESSAGE_REVOKE = 3,
	/* A child's vcore overran twice: word[0] = id, word[1] = cpu.  If the mailbox is full, later. */
	EXO_MESSAGE_OVERRUN = 4,
	/* EXO_CALL_SC_TIMEOUT: word[0] = the word given there, word[1] = ns consumed, word[2] = cpu. */
	EXO_MESSAGE_TIMEOUT = 5,
};

/*
 * The reader stores mailbox_head = index + 1 after each message and then looks at the next slot's
 * sequence, in this order (seq_cst: an atomic exchange): the sender marks its slot full and then
 * looks at the head, and only interrupts a reader that it finds waiting for just this slot.
 */
struct exo_message {
	uint32_t sequence; /* slot is full when this equals its index in the stream plus 1 */
	uint32_t kind;     /* enum exo_message_kind | sender's domain id << 8 */
	uint64_t word[3];
};

#define EXO_MAILBOX_SLOTS 64      /* a power of two */
#define EXO_MAILBOX_RESERVED 32   /* slots that exo_send may not use: IRQs, deaths, revocations */

#define EXO_STATUS_ASK UINT64_MAX /* with EXO_CALL_DOMAIN_KILL: has it died? */

/* What is revoked, by the domain's own name for it. */
enum exo_revoked {
	EXO_REVOKED_VCORE = 1,  /* number: its CPU.  The message comes to this vcore itself */
	EXO_REVOKED_SC = 2,     /* number: its CPU.  The message comes to the vcore that runs on it */
	EXO_REVOKED_LINE = 3,   /* number: the line.  The message comes to the vcore it is bound to */
	EXO_REVOKED_FRAMES = 4, /* number: the first; count.  The message comes to the first vcore */
};

/*
 * The repossession ring: what the kernel has taken because its deadline had passed, newest last.  The same
 * in the page of every vcore that the domain had then.  Nobody waits for its reader: slots that
 * were not read in time are overwritten, which their sequence shows.
 */
struct exo_taken {
	uint32_t sequence; /* index in the stream plus 1, written last */
	uint32_t kind;     /* enum exo_revoked */
	uint64_t number, count;
	uint64_t tsc;      /* when */
};
#define EXO_TAKEN_SLOTS 16 /* a power of two */
#define EXO_REVOKE_NS_MAX (1ul << 40)

/*
 * One pinned page per vcore, mapped read-write at EXO_VCORE_BASE + cpu * EXO_VCORE_STRIDE.
 * The kernel trusts nothing in it: a libos that scribbles here harms itself.
 */
struct exo_vcore_page {
	/* Written by the libos on this CPU, read by the kernel on this CPU. */
	uint32_t masked;       /* non-zero: upcalls are held back */
	uint32_t mailbox_head; /* index in the stream of the next message to be read */
	uint64_t reserved0;

	/* Set by the kernel (atomic or), cleared by the libos (atomic exchange). */
	uint32_t pending;      /* enum exo_event */
	uint32_t cause;        /* enum exo_cause, for the fault-while-masked entry */

	/* Written by the kernel on this CPU, read by the libos. */
	uint64_t token;        /* changes whenever the vcore is entered, preempted or resumed */
	uint64_t deadline_tsc; /* the armed timer, 0 if none */
	uint64_t budget_end_tsc; /* when the running SC's budget ends if it goes on running */
	uint64_t fault_address; /* CR2, for the fault area */
	uint64_t fault_masked_address; /* CR2, for the fault-while-masked area */
	uint64_t upcalls, faults, foreign_calls, forced; /* counters */
	uint64_t reserved1[4];

	struct exo_regs event;        /* what an event upcall interrupted */
	struct exo_regs fault;        /* what faulted, not masked */
	struct exo_regs fault_masked; /* what faulted or overran, masked */

	struct exo_message mailbox[EXO_MAILBOX_SLOTS];
	struct exo_taken taken[EXO_TAKEN_SLOTS];

	/* Written when the vcore ends, for the domain's others: what it was doing.  `masked` is as it
	 * was; vector state and segment bases are lost. */
	struct exo_regs last;
	uint32_t ended; /* 1: they are complete */
	uint32_t reserved2;
};
_Static_assert(sizeof(struct exo_vcore_page) <= EXO_PAGE_SIZE, "the vcore page is one page");

/*
 * Where the kernel enters the libos.  Fixed when the domain is created.
 *
 * Event: registers are in page->event, masked is set, RSP = the vcore's stack, RDI = the page.
 * Fault: registers are in page->fault, masked is set, RSP = the vcore's stack, RDI = the page; RCX and
 *	R11 may be lost.
 * Fault while masked: registers are in page->fault_masked, RSP = the vcore's fault stack,
 *	RDI = the page.  A second fault before page->cause has been set to 0 kills the domain.
 * Foreign: RCX = return address, R11 = flags, all else as at the SYSCALL; masked unchanged.
 *
 * [resume_start, resume_end) is the restartable range from which a resume goes on: an event that arrives
 * when RIP is inside it, unmasked, sets its pending bit and moves RIP back to resume_start
 * instead of entering the libos.  The instructions inside must be idempotent; one that finds
 * something pending must set masked again before RIP leaves the range, or an event between the two
 * would be entered on top of what is yet to be resumed.
 */
struct exo_entries {
	uint64_t text_start, text_end; /* exo calls are accepted from here only */
	uint64_t event, fault, fault_masked, foreign;
	uint64_t resume_start, resume_end;
};

/* ---------------------------------------------------------------- frames */

enum exo_frame_type {
	EXO_FRAME_NONE = 0,   /* not RAM, or unusable */
	EXO_FRAME_FREE = 1,   /* owned by nobody */
	EXO_FRAME_USER = 2,   /* owned by a domain, may be mapped */
	EXO_FRAME_KERNEL = 3, /* the kernel's own, or an object made from a domain's frame */
	EXO_FRAME_TABLE = 4,  /* a page table of one of the owner's address spaces */
	EXO_FRAME_PINNED = 5, /* owned by a domain and shared with the kernel (vcore page, image) */
	EXO_FRAME_REVOKED = 6, /* a USER frame that is being taken from its owner: see FRAME_REVOKE */
};

/* Read-only at EXO_FRAMES_BASE, indexed by frame number.  Readers may see it change. */
struct exo_frame_info {
	uint16_t owner; /* domain id, 0 = none */
	uint8_t type;   /* enum exo_frame_type */
	uint8_t pins;   /* uses other than mappings: retyped, lent */
	uint32_t maps;  /* page table entries that point here; TABLE: directory entries but one */
};

/* ---------------------------------------------------------------- address space updates */

enum exo_prot {
	EXO_PROT_READ = 1 << 0,
	EXO_PROT_WRITE = 1 << 1,
	EXO_PROT_EXEC = 1 << 2,
	/* Bits for the libos, kept in the page table entry where the window shows them. */
	EXO_PROT_SOFT0 = 1 << 4, /* entry bit 9: copy on write, by convention */
	EXO_PROT_SOFT1 = 1 << 5, /* entry bit 10 */
	EXO_PROT_SOFT2 = 1 << 6, /* entry bit 11 */
};
#define EXO_PTE_PRESENT 0x1ul
#define EXO_PTE_WRITE 0x2ul
#define EXO_PTE_USER 0x4ul /* clear: mapped without any right (PROTECT with prot 0) */
#define EXO_PTE_DIRTY 0x40ul
#define EXO_PTE_SOFT0 0x200ul
#define EXO_PTE_SOFT1 0x400ul
#define EXO_PTE_SOFT2 0x800ul
#define EXO_PTE_NX (1ul << 63)
/* All that is in an entry whose frame has been taken from the domain while it was mapped here.  It is not
 * present; clones of it say the same, and MAP and UNMAP do away with it. */
#define EXO_PTE_LOST EXO_PTE_SOFT2
#define EXO_PTE_FRAME(pte) (((pte) & 0x000ffffffffff000ul) >> EXO_PAGE_SHIFT)

enum exo_op_code {
	/*
	 * Map count frames from frame on at va.  An entry that is present is an error (EEXIST)
	 * unless EXO_OP_REPLACE is set; a frame so replaced is reported if nothing maps it now.
	 * Until the epoch has passed one CPU may find the new frame and another still the old one: who
	 * replaces a page by its copy lets nobody write there before.
	 * With a loan's handle in `source`, frame counts from the first frame of the loan.
	 * With EXO_OP_CLEAR the frames are filled with zeros first, with EXO_OP_FILL with what is in
	 * frame `source` and so on; all of these must be the caller's.
	 */
	EXO_OP_MAP = 1,
	/* Remove count entries from va on; holes are skipped.  Frames that nothing maps any more
	 * are reported in the result's freed list; and so are page tables all of whose pages are in
	 * the range. */
	EXO_OP_UNMAP = 2,
	/* Give present entries the permissions and software bits in prot; none at all leaves them
	 * present, but not for ring 3 (EXO_PTE_USER clear).  With EXO_OP_KEEP_COW, entries that have
	 * EXO_PTE_SOFT0 set keep it and are not made writable.  EBUSY, at an entry that was to become
	 * writable: a CPU may still read the frame through a space that has given it up.  It has been told
	 * to forget it: try again. */
	EXO_OP_PROTECT = 3,
	/*
	 * For each entry present at source_va in the space `source`, map the same frame at va here.
	 * With EXO_OP_COW, entries become read-only with EXO_PTE_SOFT0 in both, also those that
	 * were read-only before.  Without it clones may be written to where the source's pages may: the right
	 * to write to it is needed in either case.
	 * Entries already present here stay as they are, and so do those that they would be clones of.
	 * With EXO_OP_COW, a page table that is cloned as a whole to where none is may become both
	 * spaces' until one changes an entry in it.  Then EXO_PDE has EXO_PTE_WRITE clear in both, and
	 * `maps` counts the table's entries once; the space that changes one gets a table of its own,
	 * if there is another user, out of its pool.  Who is the last has it alone, and MAP and CLONE say
	 * EBUSY, with nothing lost, while a CPU of those who left may still find its way there.  It has
	 * been told to forget it: try again.
	 */
	EXO_OP_CLONE = 4,
	/* Copy frame `source` to `frame`, and so on for count frames, of which 0 is none; with EXO_OP_CLEAR,
	 * zeros.  All must be the caller's. */
	EXO_OP_COPY = 6,
	/* Map device pages (by handle in `source`), uncached. */
	EXO_OP_MAP_DEVICE = 7,
};

enum exo_op_flag {
	EXO_OP_REPLACE = 1 << 0,
	EXO_OP_COW = 1 << 1,
	EXO_OP_KEEP_COW = 1 << 2,
	EXO_OP_CLEAR = 1 << 3,
	EXO_OP_FILL = 1 << 4,
};

struct exo_op {
	uint8_t code;   /* enum exo_op_code */
	uint8_t prot;   /* enum exo_prot */
	uint16_t flags; /* enum exo_op_flag */
	uint32_t count; /* pages */
	uint64_t va;
	uint64_t frame;
	uint64_t source; /* a frame number, or a handle; CLONE: the source space */
	uint64_t source_va;
};

/* In and out.  The kernel copies it in once and writes it back before it returns. */
struct exo_update {
	uint64_t ops;       /* in: address of an array of struct exo_op */
	uint64_t freed;     /* in: address of an array of uint64_t frame numbers, or 0 */
	uint32_t op_count;  /* in: at most EXO_UPDATE_OPS_MAX */
	uint32_t freed_max; /* in: room in freed, more than 1 */
	uint32_t ops_done;  /* in: where to start; out: operations completed */
	uint32_t pages_done; /* in: where to start within that operation; out: as far as it got */
	uint32_t freed_count; /* out: of this call alone */
	uint32_t reserved;
	/* Out: the epoch after which no TLB holds what this call removed; 0 if none does now.
	 * Frames in `freed` may be used again once exo_tlb_poll(space, epoch) says so.  A page table that
	 * a TLB elsewhere may still hold is not among them: the space keeps it for its next one. */
	uint64_t epoch;
};
#define EXO_UPDATE_OPS_MAX 64
#define EXO_PROTECT_PAGES_MAX 128
#define EXO_UPDATE_PAGES_MAX 1024 /* pages of work in one call; then it returns 1: call again */

/* ---------------------------------------------------------------- calls */

enum exo_call {
	/* (buffer, length <= 1024): write to the kernel's debug console. */
	EXO_CALL_DEBUG_WRITE = 0,
	/* (ports handle): restart the machine.  Powering off is done by the libos, through ports that
	 * ACPI names. */
	EXO_CALL_RESET = 1,

	/* (handle, domain handle, rights) -> the handle as the other domain names it. */
	EXO_CALL_HANDLE_COPY = 2,
	/* (handle).  Objects owned through it live on. */
	EXO_CALL_HANDLE_DROP = 3,
	/* (handle) -> a fresh handle; every other handle to the object is stale from now on. */
	EXO_CALL_HANDLE_REVOKE = 4,
	/* (domain handle, frame): one more page for its handle table, out of the caller's frames. */
	EXO_CALL_HANDLE_FEED = 5,

	/* (one's own vcore, whose mailbox gets the DEATH message, struct exo_domain_create *) -> handle. */
	EXO_CALL_DOMAIN_CREATE = 6,
	/* (domain handle, status).  Also for oneself.  Returns 1 while there is more to take apart.  Of a
	 * status the lower 63 bits are kept.
	 * With EXO_STATUS_ASK it kills nobody: the status of a domain that has died, or EAGAIN. */
	EXO_CALL_DOMAIN_KILL = 7,

	/* (domain handle, first frame, count, enum exo_give_flag) -> frames given (scrubbed); less than
	 * count: again. */
	EXO_CALL_FRAME_GIVE = 8,
	/* (first frame, count, rights, object frame) -> a handle that others may map after HANDLE_COPY.
	 * EBUSY if one of them is lent already, or is just being copied, or a TLB may still hold one that was
	 * unmapped; EAGAIN while a TLB may still hold the object frame. */
	EXO_CALL_FRAME_LEND = 9,
	/* (handle): take back.  The object frame comes back too.  EBUSY while a borrower maps them, or its
	 * TLBs may: tell it, or kill it, which takes everything back. */
	EXO_CALL_FRAME_TAKE_BACK = 10,

	/* (domain handle, object frame, root frame) -> handle: a space of that domain, made from one's own
	 * frames.  EAGAIN while a TLB may still hold one of them. */
	EXO_CALL_SPACE_CREATE = 11,
	/* (space, address of uint64_t frames[], count <= 64): page-table frames for the space's pool,
	 * all or none, EAGAIN as above.  UPDATE returns ENOMEM when the pool is empty: feed, and call it
	 * again. */
	EXO_CALL_SPACE_FEED = 12,
	/*
	 * (space, address of uint64_t out[], room) -> frames handed back (tables, pool, root, object)
	 * in this step; call until it returns EBADF: then there is no such space.  User entries still
	 * present are unmapped and the frames that nothing maps any more are handed back too.  EBUSY
	 * while a CPU has it loaded or a vcore would go on in it, while another CPU uses a handle to
	 * it, or while an epoch that an update of it has returned has not passed: try again later.
	 */
	EXO_CALL_SPACE_DESTROY = 13,
	/* (space, struct exo_update *) -> 0 done, 1 call again, or error (ops_done names the op). */
	EXO_CALL_UPDATE = 14,
	/* (space, epoch, wait) -> 1 acknowledged, 0 not yet.  wait: EXO_EVENT_TLB will be sent. */
	EXO_CALL_TLB_POLL = 15,

	/* (domain handle, one of its spaces, struct exo_vcore_create *) -> handle. */
	EXO_CALL_VCORE_CREATE = 16,
	/* (vcore): enter it for the first time, EXO_EVENT_START pending.  Of the first domain's
	 * vcores the kernel has started that of CPU 0. */
	EXO_CALL_VCORE_START = 17,
	/* (space, token): load the space and go on.  EAGAIN if the token is stale. */
	EXO_CALL_SWITCH = 18,
	/*
	 * (token, deadline_tsc or 0): sleep until an event.  Must be called masked (EINVAL).  A
	 * deadline replaces that of EXO_CALL_TIMER; 0 leaves it as it is.
	 * Returns 0 at once if anything is pending, EAGAIN if the token is stale; otherwise the vcore
	 * leaves the CPU until an event, and then returns 0, still masked, pending set.
	 */
	EXO_CALL_HALT = 19,

	/* (parent SC, frame, budget_ns, period_ns) -> handle; EBUSY when over-committed.  Only on the
	 * SC's own CPU (EXDEV).  Periods are 1 ms to 10 s, budgets at least 100 us. */
	EXO_CALL_SC_SPLIT = 20,
	/* (SC, vcore), both on one CPU, any; what either was bound to before is unbound.  A vcore that a
	 * timeout (EXO_CALL_SC_TIMEOUT) keeps off the CPU goes on when its SC has a budget again: when
	 * it is bound to the same one, or to another. */
	EXO_CALL_SC_BIND = 21,
	/* (SC): its share goes back to its parent, its frame to its owner (soon: see the frame table).
	 * What was split from it belongs to the parent now.  Only on the SC's own CPU (EXDEV); anywhere
	 * when it has no share any more, because its owner has lost its vcore there. */
	EXO_CALL_SC_RECLAIM = 22,
	/* (SC) -> nanoseconds consumed so far. */
	EXO_CALL_SC_CONSUMED = 23,
	/* (deadline_tsc or 0): this vcore's one-shot timer. */
	EXO_CALL_TIMER = 24,
	/* (vcore, token): it runs for the rest of this slice, on this SC.  Returns 0 when it has
	 * halted or replied, 1 when that ended before: the slice did, an event has come for the
	 * donor, or one of the chain was killed.  An event that is pending ends it at once.  Only to
	 * a vcore of this CPU (EXDEV) that has been started and lives (EINVAL) and is not itself a
	 * donor (ELOOP, as for a chain of more than 4). */
	EXO_CALL_DONATE = 25,

	/* (vcore, w0, w1, w2): EAGAIN when the mailbox is full. */
	EXO_CALL_SEND = 26,
	/* (vcore): EXO_EVENT_DOORBELL for it. */
	EXO_CALL_DOORBELL = 27,

	/* (IRQ handle, vcore, line, word) -> handle to this line. */
	EXO_CALL_IRQ_BIND = 28,
	/* (line handle): handled; the line may interrupt again. */
	EXO_CALL_IRQ_ACK = 29,
	/* (ports handle, enum exo_port_op, port, value) -> value read. */
	EXO_CALL_PORT = 30,
	/* (ports handle, port, buffer, length <= 256): write bytes to one port. */
	EXO_CALL_PORT_WRITE = 31,
	/* (cpu, struct exo_cpu_stats *): EAGAIN when they have just changed. */
	EXO_CALL_CPU_STATS = 32,
	/* (IRQ handle, vcore, struct exo_msi *, word) -> line handle; the result says which address
	 * and data to program into the device. */
	EXO_CALL_MSI_BIND = 33,
	/* (ports handle, port, buffer, length <= 256): read that many bytes from one port. */
	EXO_CALL_PORT_READ = 34,
	/*
	 * (vcore, SC or line, ns from now): takes it back from the domain that has it.  Call it until it
	 * returns 0, or EBADF: then there is no such thing any more.  The first call announces it: a
	 * REVOKE message, with the deadline, at most EXO_REVOKE_NS_MAX away, which later calls
	 * do not change.  Returns 1 as long as it is neither given up nor due; then, and at once what
	 * was never started or bound, it is taken, and listed in the repossession ring if it
	 * was not given up:
	 *	vcore  ended by its own CPU, and with it what its domain had split from its share there;
	 *	       its frames are the owner's again.  EBUSY: somebody names it still (a child that
	 *	       reports to it; a call in progress).  Its page stays mapped where it was, as a
	 *	       USER frame.
	 *	SC     as by RECLAIM.  Only on its own CPU (EXDEV).
	 *	line   unbound.
	 * It takes EXO_RIGHT_REVOKE; for a line EXO_RIGHT_MANAGE.  The domain that has it, which needs
	 * neither, so gives up a vcore, also the one that calls, or a line: at once.  An SC it gives
	 * up by RECLAIM.
	 */
	EXO_CALL_REVOKE = 35,
	/* (domain handle, struct exo_frame_revoke *): frames come back from a domain that runs. */
	EXO_CALL_FRAME_REVOKE = 36,
	/* (SC, budget_ns, period_ns): what it has for itself from now on, out of its parent's share or
	 * back to it; limits and EBUSY as for SPLIT.  Only on the SC's own CPU (EXDEV). */
	EXO_CALL_SC_RESIZE = 37,
	/*
	 * (SC, handler vcore (MANAGE) or 0, word): from now on, when the SC's budget has run out, the
	 * handler's mailbox gets an EXO_MESSAGE_TIMEOUT, and the vcore that ran on it stays off the CPU
	 * until EXO_CALL_SC_BIND.  If the handler has gone, if its mailbox is full or if it is that
	 * vcore itself, the vcore waits for the replenishment as without a handler.  A budget of the
	 * whole CPU never runs out.  Only on the SC's own CPU (EXDEV).
	 */
	EXO_CALL_SC_TIMEOUT = 38,

	/* (token): who has donated to this vcore goes on at once.  This one stays runnable, and goes on
	 * with 0 when it next has the CPU: on its own SC, or when somebody donates again.  ESRCH: nobody
	 * has donated to it, EAGAIN: the token is stale. */
	EXO_CALL_REPLY = 39,
	/* (space, va, pages, enum exo_prot | enum exo_op_flag << 8) -> epoch, or error: what an update
	 * with one op PROTECT does, at less cost, for pages that are in one page table of a space that is
	 * not shared.  EAGAIN, and nothing has changed: that is not so, or the table has to be copied
	 * first, or there are more than EXO_PROTECT_PAGES_MAX; it takes an update. */
	EXO_CALL_PROTECT = 40,
	EXO_CALLS,
};

enum exo_give_flag {
	EXO_GIVE_CONTENTS = 1 << 0, /* not scrubbed: the receiver is to have what is in them */
	/* The handle is the caller's to itself (else EINVAL), and the receiver whoever made it (ESRCH: the
	 * first domain).  It needs no right to its maker for that. */
	EXO_GIVE_TO_PARENT = 1 << 1,
};

/*
 * Taking frames from a domain while it runs: ask, wait, hold, sweep, take.  Each call does part of
 * a step; what has become of a frame is in the frame table.
 */
enum exo_revoke_step {
	/* It is told to give up `count` frames, of its choice, before the deadline. */
	EXO_REVOKE_ASK = 1,
	/* -> how many of the frames have been looked at.  Those that are USER and in no loan become REVOKED:
	 * mapped wherever they were, but nowhere else from now on, and neither given nor used for
	 * anything.  EAGAIN before the deadline, or if there is none. */
	EXO_REVOKE_HOLD = 2,
	/* Takes the REVOKED frames out of the domain's spaces (EXO_PTE_LOST).  Returns 1 when there is more,
	 * with the place where to go on in `space` and `page`, which are 0 at first. */
	EXO_REVOKE_SWEEP = 3,
	/* -> how many of the frames have been looked at.  Those that are REVOKED and not mapped are the
	 * caller's now, scrubbed, and listed in the domain's repossession ring.  EAGAIN: a TLB may still hold
	 * the first of them. */
	EXO_REVOKE_TAKE = 4,
};

struct exo_frame_revoke {
	uint64_t step;         /* enum exo_revoke_step */
	uint64_t first, count; /* the frames, in a row; ASK: how many */
	uint64_t deadline_tsc; /* ASK */
	uint64_t space, page;  /* SWEEP */
};

enum exo_port_op {
	EXO_PORT_IN8, EXO_PORT_IN16, EXO_PORT_IN32, EXO_PORT_OUT8, EXO_PORT_OUT16, EXO_PORT_OUT32,
};

struct exo_msi {
	uint64_t address;
	uint32_t data, reserved;
};

/* The frames are the caller's, and come back to it when the vcore's domain is taken apart. */
struct exo_vcore_create {
	uint32_t cpu;
	uint32_t reserved;
	uint64_t object_frame;  /* becomes the kernel's vcore object */
	uint64_t vector_frame;  /* vector state while another vcore runs */
	uint64_t page_frame;    /* becomes the vcore page, mapped by the caller */
	uint64_t stack_top;     /* for events and faults */
	uint64_t fault_stack_top; /* for faults while masked */
};

struct exo_domain_create {
	uint64_t object_frame;
	uint64_t handle_frame;       /* first page of its handle table */
	uint64_t shared_object_frame, shared_root_frame; /* its shared region */
	struct exo_entries entries;
	uint64_t parent_word;        /* comes back as word[0] of the DEATH message */
	exo_handle shared;           /* out: the shared region, for its maker to fill */
};

struct exo_cpu_stats {
	/* TSC ticks since boot; the first three add up to the last (I7). */
	uint64_t charged, idle, kernel, elapsed;
	uint64_t interrupts, ipis_sent, ipis_received, upcalls, switches, exo_calls, faults,
		foreign_calls, tlb_flushes, nmis;
};

/* ---------------------------------------------------------------- what the domain is told */

struct exo_range {
	uint64_t first, count; /* frames */
};

struct exo_module {
	uint64_t address; /* where it is mapped, in the shared region */
	uint64_t size;    /* bytes */
	uint64_t frame;   /* first frame; the module is physically contiguous */
	char name[40];    /* the module's command line, e.g. "archive root" */
};

struct exo_cpu_info {
	uint32_t online;   /* the domain has a vcore here */
	uint32_t apic_id;
	uint64_t tsc_khz;
	uint64_t timer_khz;
	exo_handle vcore, sc; /* the domain's own */
};

#define EXO_RANGES_MAX 64
#define EXO_MODULES_MAX 16
#define EXO_COMMAND_LINE_MAX 1024
#define EXO_INFO_PAGES 4

struct exo_info {
	uint32_t abi_version;
	uint32_t cpu_count;      /* the domain's CPUs are among those numbered 0 .. cpu_count - 1 */
	uint32_t domain_id;
	uint32_t vector_size;    /* bytes of XSAVE area for the enabled features */
	uint64_t vector_features; /* XCR0 */
	uint64_t tsc_khz;        /* of the boot CPU */
	uint64_t boot_tsc;       /* TSC at kernel entry */
	uint64_t masked_limit_ns; /* how long an upcall may stay pending while masked */
	uint64_t frame_end;      /* one past the highest frame number */
	uint64_t ram_frames;     /* RAM in the machine */
	uint64_t acpi_fadt;      /* physical address of the ACPI table that leads to power-off */
	uint32_t framebuffer_text; /* 1: VGA text mode at physical 0xb8000 */
	uint32_t range_count, module_count;
	uint32_t image_end_page; /* pages of the libos image from EXO_SHARED_BASE on */
	struct exo_range ranges[EXO_RANGES_MAX]; /* frames the domain owns and may use */
	struct exo_module modules[EXO_MODULES_MAX];
	struct exo_cpu_info cpus[EXO_CPUS_MAX];
	char command_line[EXO_COMMAND_LINE_MAX];
};
_Static_assert(sizeof(struct exo_info) <= EXO_INFO_PAGES * EXO_PAGE_SIZE, "fits its window");

/*
 * The libos as a boot module: one page that begins with this header and is not mapped, and then the
 * image as it lies in memory from EXO_SHARED_BASE on: up to text_end read and execute, up
 * to rodata_end read, up to data_end, which is the end of the module, read and write; and then
 * zeros up to `end`.  All page aligned.
 */
#define EXO_IMAGE_MAGIC 0x3273626f6c6f7865ul /* "exolobs2" as little-endian bytes */

struct exo_image {
	uint64_t magic;
	uint64_t abi_version;
	uint64_t text_end, rodata_end, data_end, end;
	struct exo_entries entries;
	/* Stacks for each CPU: event stack top = event_stack_top + cpu * stack_stride.  If those of
	 * EXO_CPUS_MAX CPUs are the last of the image, there is no memory behind those of CPUs that are
	 * not there. */
	uint64_t event_stack_top, fault_stack_top, stack_stride;
};

#endif
