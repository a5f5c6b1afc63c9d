#!/bin/sh
# Makes DIR/stock.deb of an installed package, file for file, and DIR/newer.deb, an
# upgrade of it whose replicator differs.
set -eu
package=$1 dir=$2
tree=$dir/tree
mkdir -p "$tree/DEBIAN"

dpkg-query -L "$package" | while read -r path; do
	real=$(dpkg-divert --truename "$path")
	if [ -d "$real" ]; then
		mkdir -p "$tree$path"
	elif [ -e "$real" ] || [ -L "$real" ]; then
		mkdir -p "$tree$(dirname "$path")"
		cp -a "$real" "$tree$path"
	fi
done
for part in conffiles preinst postinst prerm postrm; do
	[ ! -e "/var/lib/dpkg/info/$package.$part" ] || cp "/var/lib/dpkg/info/$package.$part" "$tree/DEBIAN/$part"
done
if [ -e "$tree/DEBIAN/conffiles" ]; then # what was removed here is none
	while read -r path; do [ ! -e "$tree$path" ] || echo "$path"; done <"$tree/DEBIAN/conffiles" >"$dir/conffiles"
	mv "$dir/conffiles" "$tree/DEBIAN/conffiles"
fi
# The status of the machine, and a list of files with sums, are not of the package.
dpkg-query -s "$package" | sed '/^Status:/d; /^Conffiles:/,/^[^ ]/{/^Conffiles:/d; /^ /d}' >"$tree/DEBIAN/control"

dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$dir/stock.deb"
sed -i 's/^Version:.*/&+newer/' "$tree/DEBIAN/control"
echo '# newer' >>"$tree/usr/bin/swift-object-replicator"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$dir/newer.deb"
rm -r "$tree"
