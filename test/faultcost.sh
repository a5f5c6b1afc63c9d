#!/bin/sh
# What the seams of fault plans cost: processor time of hashing and of questions to peers,
# in this build without an injector, with one that has no plan, and in a build without
# faults, in turn, ROUNDS times. Printed are medians, and how far apart each side's middle
# half is, beside those of the build without faults.
set -eu
rounds=${1:-12}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go test -c -o "$dir/with" ./bootstrap
go test -c -tags nofaults -o "$dir/without" ./bootstrap
run() { (cd bootstrap && "$dir/$1" -test.run TestFaultsCost -faults.cost "$2") | sed -n "s/^cost/$1/p" >>"$dir/out"; }
i=0
while [ $i -lt "$rounds" ]; do
	if [ $((i % 2)) -eq 0 ]; then run without none; run with none; run with idle; else run with idle; run with none; run without none; fi
	i=$((i + 1))
done
for column in 4 6; do
	for side in "without none" "with none" "with idle"; do
		grep "^$side " "$dir/out" | cut -d' ' -f$column | sort -n |
			awk -v side="$side" -v base="$(cat "$dir/base.$column" 2>/dev/null || echo 0)" -v kind=$column -v file="$dir/base.$column" '
				{ v[NR] = $1 }
				END {
					m = (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
					if (!base) { base = m; print m >file }
					printf "%-9s %-13s median %7.1f ms  middle half %7.1f - %7.1f  ratio %.3f  (%d runs)\n", kind == 4 ? "hashing" : "questions", side, m / 1e6, v[int(NR / 4) + 1] / 1e6, v[int(NR * 3 / 4)] / 1e6, m / base, NR
				}'
	done
done
