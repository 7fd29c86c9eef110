#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: stress
# Races amplified, and interrupts that go wrong, on 4, 8 and 16 CPUs, by 20 seeds from SEED on: an hour.
exec "$TOP/tests/script/races.py" "${SEED:-1}" "${ROUNDS:-20}" 4 8 16
