#!/bin/sh
# Builds dist/understudy_VERSION_ARCH.deb and dist/understudy-VERSION.ARCH.rpm from this
# checkout. The programs are static, so that one package fits every distribution.
set -eu
cd "$(dirname "$0")/.."

out=${1:-dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)
BUILD=bin/package
mkdir -p "$BUILD"
ARCH=$(go env GOARCH)

# A tag v1.2.3 is 1.2.3, commits after it are 1.2.3+4.gabcdef; before any tag the
# commit's time orders them.
if tag=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
	VERSION=$(echo "${tag#v}" | sed 's/-\([0-9]*\)-g/+\1.g/; s/-/~/g')
else
	VERSION=0.0.0~$(TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd.%h)
fi
# Two builds of one commit are the same bytes.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export ARCH VERSION SOURCE_DATE_EPOCH

CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X understudy/bootstrap.release=$VERSION" \
	-o "$BUILD/" ./cmd/understudy ./cmd/understudy-fleet ./cmd/swift-object-replicator
"$BUILD/understudy" completion bash >"$BUILD/completion.bash"
"$BUILD/understudy" completion zsh >"$BUILD/completion.zsh"
# swift-object-replicator(1) is Debian's own: it tells of the same options.
rm -rf "$BUILD/man"
"$BUILD/understudy" man "$BUILD/man"
rm "$BUILD/man/man1/swift-object-replicator.1"
gzip -9n "$BUILD"/man/man*/*

# nfpm has a module of its own: what it needs is not what the programs need.
nfpm=$(cd packaging/tools && go tool -n nfpm)
for packager in deb rpm; do
	"$nfpm" package --config packaging/nfpm.yaml --packager "$packager" --target "$out"
done
