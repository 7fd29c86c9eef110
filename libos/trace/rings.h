/* SPDX-License-Identifier: MIT */
/* The rings of all CPUs, for those who write, turn on and read them. */
#ifndef LIBOS_TRACE_RINGS_H
#define LIBOS_TRACE_RINGS_H

#include <exo/abi.h>
#include <libos/trace.h>
#include <stdbool.h>
#include "core/mutex.h"
#include "trace/ring.h"

/* What is rare and explains the rest, names of tasks and schedulers, is kept apart, so that a storm
 * of events does not bury it. */
struct cpu_trace {
	struct trace_ring events, rare;
} __attribute__((aligned(64)));

/* A CPU writes its own while its v->traced is set. */
extern struct cpu_trace trace_rings[EXO_CPUS_MAX];

/* Held by whoever reads the rings or turns tracing on or off: slots and sizes stay. */
extern struct mutex trace_mutex;
/* Under trace_mutex: how often tracing was turned on. */
extern uint32_t trace_session;
/* Under trace_mutex: there are none before the first time, nor after one for which there was no memory. */
bool trace_has_rings(void);

/* What a reader sees of an event of a CPU. */
void trace_unpack(struct trace_record *record, unsigned cpu, const uint64_t words[TRACE_WORDS]);

/* device.c */
int trace_device_init(void);

/* call.asm: stands for every function of syscall_table while tracing is on. */
void trace_call(void);

#endif
