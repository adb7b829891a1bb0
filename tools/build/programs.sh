#!/bin/bash
# Builds programs with inktag-cc, for tests and the demo.
#
#   tools/build/programs.sh [--help]
#
# Result in build/programs/bin:
#   bzip2               Debian's source package, its source unchanged
#   gnu-hello           GNU hello, likewise, by its configure script
#   sort, sha256sum...  applets of Debian's busybox, likewise
#   hello, ...          tests/hap/*.c
#   debugged, closed    tests/hap/debug/debugged.c: it may be debugged, and not
# and in build/conformance: tests/conformance/*.c, and their driver, an ordinary program.
case ${1-} in
--help) sed -n '2,/^[^#]/s/^# \?//p' "$0"; exit ;;
?*) echo "programs.sh: unknown argument $1" >&2; exit 2 ;;
esac
. "$(dirname "$0")/../lib.sh"

need_packages gcc libc6-dev make dpkg-dev
[[ -e $build/libc/bin/inktag-cc ]] || die "build/libc is missing; run: make libc"
cc=$(readlink -f "$build/libc")/bin/inktag-cc
bzip2=$(debian_source bzip2 bookworm)
hello=$(debian_source hello bookworm)
busybox=$(debian_source busybox bookworm)

# The applets as one program, under the name of each; busybox finds out by its name which one is meant.
applets=(SORT SHA256SUM AWK CMP CP CUT DIFF FIND GREP GUNZIP GZIP HEAD LS MV OD SED STAT TAIL TAR TR UNIQ WC)
options=(SH_IS_NONE LFS LONG_OPTS DESKTOP FEATURE_SORT_BIG FEATURE_MD5_SHA1_SUM_CHECK FEATURE_AWK_LIBM
	FEATURE_DIFF_DIR FEATURE_FIND_PRINT0 FEATURE_FIND_SIZE FEATURE_FIND_TYPE FEATURE_GREP_CONTEXT FEATURE_LS_RECURSIVE
	FEATURE_LS_SORTFILES FEATURE_LS_TIMESTAMPS FEATURE_STAT_FORMAT FEATURE_TAR_CREATE FEATURE_TAR_GNU_EXTENSIONS
	FEATURE_TAR_LONG_OPTIONS FEATURE_TR_CLASSES "${applets[@]}")

build_programs() {
	local out=$1 work=$1/work p
	local debugged=(-g -Wall -Wextra -Wno-unused-parameter -Werror -pthread "$top/tests/hap/debug/debugged.c")
	mkdir -p "$out/bin" "$work"
	step "bzip2"
	debian_unpack bzip2 bookworm "$work/bzip2"
	# Debian links its bzip2 with the shared library, which is not for us; -lbz2 then finds the other.
	make -C "$work/bzip2" CC="$cc" -o libbz2.so libbz2.a bzip2
	cp "$work/bzip2/bzip2" "$out/bin/"

	step "hello"
	debian_unpack hello bookworm "$work/hello"
	cd "$work/hello"
	./configure --host=x86_64-linux-uclibc CC="$cc"
	make -j"$(nproc)"
	cp hello "$out/bin/gnu-hello"
	cd "$out"

	step "busybox"
	debian_unpack busybox bookworm "$work/busybox"
	make -C "$work/busybox" allnoconfig
	sed -i 's/^CONFIG_SH_IS_ASH=y/# CONFIG_SH_IS_ASH is not set/' "$work/busybox/.config"
	for p in "${options[@]}"; do
		grep -q "^# CONFIG_$p is not set" "$work/busybox/.config" || die "busybox has no option $p"
		sed -i "s/^# CONFIG_$p is not set/CONFIG_$p=y/" "$work/busybox/.config"
	done
	yes '' 2>/dev/null | make -C "$work/busybox" oldconfig || [[ ${PIPESTATUS[1]} == 0 ]]
	# Its own link step tries out libraries with flags of its own; SKIP_STRIP keeps the symbols.
	make -C "$work/busybox" -j"$(nproc)" CC="$cc" HOSTCC=gcc SKIP_STRIP=y busybox
	cp "$work/busybox/busybox" "$out/bin/sort"
	for p in "${applets[@]:1}"; do ln "$out/bin/sort" "$out/bin/${p,,}"; done

	step "tests/hap"
	for p in "$top"/tests/hap/*.c; do
		"$cc" -O2 -fexceptions -Wall -Wextra -Wno-unused-parameter -Wno-format-truncation -Werror \
			-o "$out/bin/$(basename "$p" .c)" "$p"
	done

	step "tests/hap/debug"
	"$cc" --debuggable -o "$out/bin/debugged" "${debugged[@]}"
	"$cc" -o "$out/bin/closed" "${debugged[@]}"

	step "check"
	for p in "$out"/bin/*; do "$build/libc/lib/ld-inktag.so.1" --measure "$p"; done
	cat "$busybox"/*.orig.tar.* >"$work/in"
	"$build/libc/lib/ld-inktag.so.1" --unprotected "$out/bin/bzip2" -c "$work/in" |
		"$build/libc/lib/ld-inktag.so.1" --unprotected "$out/bin/bzip2" -dc | cmp - "$work/in" ||
		die "bzip2 does not give back what it compressed"
	rm -rf "$work"
}

build_cached programs build_programs "$top/tests/hap" "$build/libc/" "${BASH_SOURCE[0]}" "$bzip2" "$hello" "$busybox"

conformance=$top/tests/conformance
mapfile -t groups < <(basename -s .c "$conformance"/*.c | grep -vx -e compare -e conformance)

build_conformance() {
	local out=$1 p checks
	step "compare"
	gcc -O2 -Wall -Wextra -Wno-format-truncation -Werror -static -o "$out/compare" "$conformance/compare.c"
	step "groups"
	for p in "${groups[@]}"; do
		"$cc" -O2 -s -Wall -Wextra -Wno-unused-parameter -Wno-format-truncation -Wno-nonnull -Werror -pthread \
			-o "$out/$p" "$conformance/$p.c" "$conformance/conformance.c"
	done
	step "check"
	checks=$(for p in "${groups[@]}"; do "$build/libc/lib/ld-inktag.so.1" --unprotected "$out/$p" "$p" --list; done | wc -l)
	((checks >= 400)) || die "tests/conformance has only $checks checks"
	echo "$checks checks"
}

build_cached conformance build_conformance "$conformance"/*.[ch] "$build/libc/" "${BASH_SOURCE[0]}"
