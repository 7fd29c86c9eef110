/* SPDX-License-Identifier: MIT */
/* A domain's console, whose terminal is in the domain. */
#ifndef DOMAINCTL_CONSOLE_H
#define DOMAINCTL_CONSOLE_H

#include <stddef.h>

/* 0, or -1 with errno. */
int write_all(int to, const char *bytes, size_t n);
/* From now on Ctrl-C is for the program in the domain, whose terminal makes a signal of it there;
 * Ctrl-\ is ours. */
void console_pass_interrupts(int domain);
/* Standard input to the domain, its output to ours, until it is dead. */
void console_connect(int domain);
/* Whole lines to the system's console, each with the domain's number, until it is dead. */
void console_keep(int domain, unsigned id);

#endif
