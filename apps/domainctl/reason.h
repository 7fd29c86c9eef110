/* SPDX-License-Identifier: MIT */
/* Why the libos has refused a domain, in more words than errno has. */
#ifndef DOMAINCTL_REASON_H
#define DOMAINCTL_REASON_H

#include <libos/domain.h>

/* End domainctl, with what errno says and what it means here. */
_Noreturn void refused_create(const struct domain_create *c);
_Noreturn void refused_resize(const struct domain_resize *r);

#endif
