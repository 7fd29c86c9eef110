/* SPDX-License-Identifier: MIT */
/* What the kernel must know to start the libos: the page before the image begins with this. */
#include <exo/abi.h>
#include "core/entry.h"
#include "core/image.h"
#include "core/vcore.h"

extern const char libos_rodata_end[], libos_data_end[], libos_image_end[];

__attribute__((section(".header"), used)) static const struct exo_image header = {
	.magic = EXO_IMAGE_MAGIC,
	.abi_version = EXO_ABI_VERSION,
	.text_end = (uint64_t)libos_text_end,
	.rodata_end = (uint64_t)libos_rodata_end,
	.data_end = (uint64_t)libos_data_end,
	.end = (uint64_t)libos_image_end,
	.entries = {
		.text_start = (uint64_t)libos_text_start,
		.text_end = (uint64_t)libos_text_end,
		.event = (uint64_t)event_entry,
		.fault = (uint64_t)fault_entry,
		.fault_masked = (uint64_t)fault_masked_entry,
		.foreign = (uint64_t)foreign_entry,
		.resume_start = (uint64_t)resume_start,
		.resume_end = (uint64_t)resume_end,
	},
	.event_stack_top = (uint64_t)vcore_areas[0].event_stack + EVENT_STACK_SIZE,
	.fault_stack_top = (uint64_t)vcore_areas[0].fault_stack + FAULT_STACK_SIZE,
	.stack_stride = sizeof(struct vcore_area),
};
