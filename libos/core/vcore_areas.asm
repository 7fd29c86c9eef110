; SPDX-License-Identifier: MIT
; What each CPU has (struct vcore_area).  The image ends with it: that of CPUs that are not there has no
; memory (struct exo_image).  As it is aligned, no vcore is in a set of a TLB that a task's own pages are in
; (libos.ld).

%include "offsets.inc"

global vcore_areas

section .vcores nobits alloc noexec write align=0x8000
vcore_areas:
	resb CPUS_MAX << VCORE_SHIFT
