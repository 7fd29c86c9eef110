#!/bin/sh
# SPDX-License-Identifier: MIT
# tags: stress
# A server without time of its own comes to another CPU, a hundred times.  It has hung, seldom, and it
# is not known yet where: so this is not in `make test`.
set -eu

for round in $(seq 100); do
	if ! "$TOP/tests/script/domains_servers.py" a_passive_server_comes > /dev/null; then
		echo "not ok a_passive_server_comes_to_another_cpu: round $round"
		exit 1
	fi
done
echo "ok a_passive_server_comes_to_another_cpu"
