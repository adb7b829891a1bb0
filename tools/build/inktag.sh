#!/bin/bash
# Builds the command inktag, which looks after the metadata of protected files while no VM uses them.
#
#   tools/build/inktag.sh [--help]
#
# Result: build/inktag/bin/inktag.
case ${1-} in
--help) sed -n '2,/^[^#]/s/^# \?//p' "$0"; exit ;;
?*) echo "inktag.sh: unknown argument $1" >&2; exit 2 ;;
esac
. "$(dirname "$0")/../lib.sh"

need_packages gcc libc6-dev pkgconf libsqlite3-dev libssl-dev
db=$top/qemu-patches/files/hw/i386/kvm

build_inktag() {
	local out=$1 flags
	mkdir "$out/bin"
	read -ra flags < <(pkg-config --cflags --libs sqlite3 libcrypto)
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -I "$db" -I "$top/tools/inktag" -I "$top/hyp/include" \
		-o "$out/bin/inktag" "$top"/tools/inktag/*.c "$db"/inktag-db*.c "${flags[@]}"
}

build_cached inktag build_inktag "$0" "$top/tools/inktag" "$db"/inktag-db* "$top/hyp/include/inktag" \
	"str:$(dpkg-query -W -f '${Version} ' gcc libsqlite3-dev libssl-dev)"
