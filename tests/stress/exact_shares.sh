#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: stress
# Shares and deadlines over ten seconds of a machine whose time is the number of instructions.
exec "$TOP/tests/script/exact_shares.py" 10000
