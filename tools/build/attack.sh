#!/bin/bash
# Builds the attacker of the tests: a module for the guest kernel, and its command line.
#
#   tools/build/attack.sh [--help]
#
# Result: build/attack/inktag_attack.ko (for build/guest-kernel); build/attack/attack and requests (static programs).
case ${1-} in
--help) sed -n '2,/^[^#]/s/^# \?//p' "$0"; exit ;;
?*) echo "attack.sh: unknown argument $1" >&2; exit 2 ;;
esac
. "$(dirname "$0")/../lib.sh"

need_packages gcc gcc-12 libc6-dev binutils make kmod libelf1
[[ -e $build/guest-kernel/.complete ]] || die "the guest kernel is not built: run make guest-kernel"
kernel=$(readlink -f "$build/guest-kernel")

build_attack() {
	local out=$1 tool
	mkdir "$out/src"
	cp -r "$top/tests/attack/." "$out/src/"
	step 'module'
	make -C "$kernel/tree" M="$out/src/module" modules
	cp "$out/src/module/inktag_attack.ko" "$out/"
	step 'tools'
	for tool in attack requests; do
		gcc -static -O2 -Wall -Wextra -Wno-unused-parameter -I "$top/hyp/include" \
			-o "$out/$tool" "$out/src/$tool.c" -pthread
	done
	rm -r "$out/src"
}

# The kernel's directory is named after what it was built from.
build_cached attack build_attack "$0" "$top/tests/attack" "$top/hyp/include" "str:${kernel##*/}" \
	"str:$(dpkg-query -W -f '${Package} ${Version} ' gcc-12 libc6-dev)"
