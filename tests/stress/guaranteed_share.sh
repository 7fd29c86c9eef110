#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: stress
# 30 ms of every 100 over ten seconds beside hostile domains, exactly, at 1, 2 and 4 CPUs.
exec "$TOP/tests/hostile_domain/guaranteed_share.py" 1 2 4
