/* SPDX-License-Identifier: MIT */
/*
 * The rest of the kernel, for cases that include its way out (exo/exit.c and what that calls): what a vcore
 * that comes and goes on one CPU does not depend on.  Include it after the sources under test, once.
 */
#ifndef TESTS_EXPLORE_KERNEL_EXIT_H
#define TESTS_EXPLORE_KERNEL_EXIT_H

static struct domain domain; /* the only one */
static struct space space;   /* where they all run */
uint64_t kernel_root;
_Atomic uint64_t stale_clock;

struct domain *domain_current(void)
{
	return &domain;
}

_Noreturn void trap_return(struct exo_regs *regs)
{
	explore_fail("cpu_run() is not called here");
}

_Noreturn void invariant_failed(const char *condition, const char *file, unsigned line)
{
	explore_fail("%s:%u: %s", file, line, condition);
}

bool sc_tell_handler(const struct sched_context *sc)
{
	return false;
}

bool user_iret_repair(struct exo_regs *regs)
{
	return false;
}

int copy_to_user(uint64_t to, const void *from, size_t size)
{
	return 0;
}

void sc_detach(struct run *run, struct sched_context *sc, uint64_t now) {}
void sc_move_share(struct run *run, struct sched_context *sc, const struct sc_share *to, uint64_t now) {}
void tlb_load(uint64_t root_frame, struct space *s, struct space *shared) {}
bool call_by_number(struct cpu *cpu, struct exo_regs *regs) { return false; }
void tlb_catch_up(void) {}
void tlb_forget_waiter(const struct vcore *v) {}
void vcore_restore(const struct vcore *v) {}
void object_put(struct object *o) {}
void frame_release(uint64_t number) {}
void domain_die(struct domain *d, uint64_t status) {}
void kprintf(const char *format, ...) {}

#endif
