#!/bin/bash
# Builds the C library for protected programs: uClibc-ng with libc-shim/uclibc, the shim, the loader, inktag-cc.
#
#   tools/build/libc.sh [--help]
#
# Result in build/libc:
#   bin/inktag-cc          the compiler wrapper
#   lib/, include/         what it compiles and links with
#   lib/ld-inktag.so.1     the loader, to be installed as /lib/ld-inktag.so.1
# and in build/uclibc the C library and the kernel's headers alone, which take most of the time.
case ${1-} in
--help) sed -n '2,/^[^#]/s/^# \?//p' "$0"; exit ;;
?*) echo "libc.sh: unknown argument $1" >&2; exit 2 ;;
esac
. "$(dirname "$0")/../lib.sh"

need_packages gcc libc6-dev make patch xz-utils ccache rsync bison flex 'uclibc-source>=1.0.35'
src=$top/libc-shim
kernel=$(linux_source)
# Of the installed version, whichever it is.
tarball=(/usr/src/uClibc-ng-*.tar.xz)
[[ ${#tarball[@]} == 1 && -e ${tarball[0]} ]] || die "not one uClibc-ng, of the package uclibc-source, is in /usr/src, but: ${tarball[*]}"

# No instruction that enters the kernel, in these objects or archives; names of functions after them may have one.
# In the trusted context one such instruction ends the program.
check_no_syscall() {
	local file=$1 found
	shift
	found=$(objdump -d --no-show-raw-insn "$file" | awk -v allowed="$*" '
		BEGIN { n = split(allowed, a); for (i = 1; i <= n; i++) ok[a[i]] = 1 }
		/^[0-9a-f]+ <.*>:$/ { f = $2; gsub(/[<>:]/, "", f) }
		$2 == "syscall" || $2 == "sysenter" || ($2 == "int" && $3 == "$0x80") { if (!(f in ok)) print f ": " $0 }')
	[[ -z $found ]] || die "$file enters the kernel outside the shim: $found"
}

build_uclibc() {
	local out=$1 work=$1/work p
	mkdir -p "$work/uClibc-ng"
	step "kernel headers"
	make -C "$kernel" ARCH=x86_64 O="$work/headers" INSTALL_HDR_PATH="$out" headers_install
	step "unpack uClibc-ng"
	tar -C "$work/uClibc-ng" --strip-components=1 -xJf "${tarball[0]}"
	cd "$work/uClibc-ng"
	for p in "$src"/uclibc/*.patch; do
		step "patch ${p##*/}"
		patch -p1 --no-backup-if-mismatch <"$p"
	done
	sed "\$aKERNEL_HEADERS=\"$out/include\"" "$src/uclibc/config" >.config
	step "configure uClibc-ng"
	yes '' 2>/dev/null | make ARCH=x86_64 oldconfig || [[ ${PIPESTATUS[1]} == 0 ]]
	step "compile uClibc-ng"
	nice make -j"$(nproc)" ARCH=x86_64 CC="ccache gcc"
	step "install uClibc-ng"
	make ARCH=x86_64 CC="ccache gcc" PREFIX="$out" install_dev
	step "check uClibc-ng"
	for p in "$out"/lib/*.a "$out"/lib/*.o; do check_no_syscall "$p"; done
	cd "$out"
	rm -rf "$work"
}

build_libc() {
	local out=$1
	mkdir -p "$out/bin"
	cp -r "$build/uclibc/." "$out"
	rm -f "$out/.complete"
	step "shim and loader"
	make -C "$src" O="$out/obj" HEADERS="$out/include" CC="gcc"
	cp "$out/obj/inktag.o" "$out/obj/ld-inktag.so.1" "$src/cc/inktag.specs" "$out/lib/"
	cp "$src/cc/inktag-cc" "$out/bin/"
	sed -n 's/^#define INKTAG_ABI_VERSION *//p' "$top/hyp/include/inktag/abi.h" >"$out/lib/abi-version"
	rm -rf "$out/obj"

	step "check a program"
	printf '#include <stdio.h>\nint main(void)\n{\n\tputs("ok");\n\treturn 3;\n}\n' >"$out/check.c"
	"$out/bin/inktag-cc" -O2 -o "$out/check" "$out/check.c"
	check_no_syscall "$out/check" __inktag_syscall
	local said code=0
	said=$("$out/lib/ld-inktag.so.1" --unprotected "$out/check") || code=$?
	[[ $said == ok && $code == 3 ]] || die "a program of inktag-cc printed '$said' with status $code, not 'ok' with 3"
	rm "$out/check" "$out/check.c"
}

versions=(str:"$(dpkg-query -W -f '${Package} ${Version};' uclibc-source gcc-12 binutils)" "str:$(linux_version)")
# Of this script only what makes the C library counts for it.
build_cached uclibc build_uclibc "$src/uclibc" "str:$(declare -f check_no_syscall build_uclibc)" "${versions[@]}"
build_cached libc build_libc "$src/shim" "$src/loader" "$src/cc" "$src/Makefile" "$top/hyp/include/inktag" "${BASH_SOURCE[0]}" "${versions[@]}" \
	"str:$(basename "$(readlink "$build/uclibc")")"
