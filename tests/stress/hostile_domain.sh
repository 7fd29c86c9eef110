#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: stress
# Ten minutes beside hostile domains at each of 1, 2 and 4 CPUs.
exec "$TOP/tests/hostile_domain/hostile_domain.py" --seconds 600
