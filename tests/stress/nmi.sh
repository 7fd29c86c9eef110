#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: stress
# NMIs at any instruction, NMIS at each of 1, 2, 4 and 8 CPUs, at moments that SEED says: a quarter of an hour.
exec "$TOP/tests/script/nmi.py" "${SEED:-1}" "${NMIS:-20000}" 1 2 4 8
