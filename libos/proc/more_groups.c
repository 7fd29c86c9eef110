/* SPDX-License-Identifier: MIT */
/* The groups that a process is in beside its effective one: getgroups(2). */
#include "abi/errno.h"
#include "core/usercopy.h"
#include "proc/calls.h"
#include "proc/process.h"

void more_groups_copy_locked(struct process *child, const struct process *from)
{
	child->more_group_count = from->more_group_count;
	for (uint32_t i = 0; i < from->more_group_count; i++)
		child->more_groups[i] = from->more_groups[i];
}

long sys_getgroups(int size, uint64_t list)
{
	struct process *p = current_process();
	uint32_t groups[PROCESS_GROUPS_MAX], count;

	if (size < 0)
		return -EINVAL;
	lock_acquire(&process_tree_lock);
	count = p->more_group_count;
	for (uint32_t i = 0; i < count; i++)
		groups[i] = p->more_groups[i];
	lock_release(&process_tree_lock);
	if (size && (uint32_t)size < count)
		return -EINVAL;
	if (size && count && copy_to_user(list, groups, count * sizeof(groups[0])) < 0)
		return -EFAULT;
	return count;
}

long sys_setgroups(int size, uint64_t list)
{
	struct process *p = current_process();
	uint32_t groups[PROCESS_GROUPS_MAX], count = (uint32_t)size;

	if (p->euid != 0)
		return -EPERM;
	if (count > PROCESS_GROUPS_MAX)
		return -EINVAL;
	if (count && copy_from_user(groups, list, count * sizeof(groups[0])) < 0)
		return -EFAULT;
	lock_acquire(&process_tree_lock);
	for (uint32_t i = 0; i < count; i++)
		p->more_groups[i] = groups[i];
	p->more_group_count = count;
	lock_release(&process_tree_lock);
	return 0;
}
