/* SPDX-License-Identifier: MIT */
/* What the words behind `domainctl create` and `domainctl resize` ask for. */
#ifndef DOMAINCTL_OPTIONS_H
#define DOMAINCTL_OPTIONS_H

#include <libos/domain.h>
#include <stdbool.h>

#define EXIT_FAILED 125 /* domainctl itself */

/* Ends domainctl: "domainctl: WHAT: WHY". */
_Noreturn void refuse(const char *what, const char *why);

/* The kinds of a domain_create's links, as options and as the libos has them. */
#define KIND_CHANNEL "channel"
#define KIND_SERVE "serve"
#define KIND_USE "use"

/* Fills c in, and *detach.  What c points to stays, or is the words themselves. */
void parse_create(char **words, struct domain_create *c, bool *detach);
void parse_resize(char **words, struct domain_resize *r);
/* The number of a domain. */
unsigned parse_domain(const char *word);

#endif
