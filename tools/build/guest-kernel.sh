#!/bin/bash
# Builds the guest kernel: Linux 6.12 of Debian's linux-source-6.12 with guest-kernel-patches.
#
#   tools/build/guest-kernel.sh [--help]
#
# Result in build/guest-kernel:
#   bzImage     boot it with qemu -kernel
#   vmlinux     the same as ELF: for addresses, and for direct (PVH) boot
#   System.map, config
#   tree/       what external modules need: make -C build/guest-kernel/tree M=...; the ABI headers are in it, as
#               <inktag/...>
case ${1-} in
--help) sed -n '2,/^[^#]/s/^# \?//p' "$0"; exit ;;
?*) echo "guest-kernel.sh: unknown argument $1" >&2; exit 2 ;;
esac
. "$(dirname "$0")/../lib.sh"

need_packages gcc gcc-12 libc6-dev binutils make patch ccache flex bison bc libelf-dev lz4 kmod xz-utils
linux=$(linux_tree)
patches=$top/guest-kernel-patches

lay_out() {
	local tree=$1
	step 'laying out the tree'
	rm -rf "$tree"
	# Hard links: patch writes a new file in place of the one it changes, and the build changes none.
	cp -al "$linux/source" "$tree"
	cp -r --remove-destination "$patches/files/." "$tree/"
	mkdir "$tree/include/inktag"
	cp "$top"/hyp/include/inktag/*.h "$tree/include/inktag/"
	apply_patches "$tree" "$patches"/[0-9]*.patch
}

configure() {
	local tree=$1 line lost=()
	step 'configuring'
	make -C "$tree" KCONFIG_ALLCONFIG="$patches/lab.config" allnoconfig
	while read -r line; do
		grep -qxF -- "$line" "$tree/.config" || lost+=("$line")
	done < <(grep '^CONFIG_' "$patches/lab.config" "$patches/inktag.config" -h)
	((!${#lost[@]})) || die "these lines of the configuration have no effect, something they depend on is off: ${lost[*]}"
}

# What a build with M= reads, as Debian's headers packages have it; all else goes.
prune() {
	local tree=$1
	step 'keeping what modules need'
	(
		cd "$tree"
		find . -path ./scripts -prune -o -path ./include -prune -o -path ./arch/x86/include -prune -o \
			-type f ! -name 'Makefile*' ! -name 'Kbuild*' ! -name 'Kconfig*' ! -path ./tools/objtool/objtool \
			! -path ./.config ! -path ./Module.symvers -exec rm -f {} +
		find . -depth -type d -empty -delete
	)
}

build_guest_kernel() {
	local out=$1 tree=$1/tree
	lay_out "$tree"
	configure "$tree"
	step 'compiling'
	# In depend mode a miss costs nothing beside the compilation, where ccache else preprocesses on its own.
	CCACHE_DEPEND=1 nice make -C "$tree" -j"$(nproc)" CC='ccache gcc' HOSTCC='ccache gcc' \
		KBUILD_BUILD_TIMESTAMP='1970-01-01' KBUILD_BUILD_USER=inktag KBUILD_BUILD_HOST=inktag bzImage modules
	cp "$tree/arch/x86/boot/bzImage" "$tree/vmlinux" "$tree/System.map" "$out/"
	cp "$tree/.config" "$out/config"
	prune "$tree"
}

build_cached guest-kernel build_guest_kernel "$0" "$patches/files" "$patches"/[0-9]*.patch "$patches"/*.config \
	"$top/hyp/include/inktag" \
	"str:${linux##*/}" "str:$(dpkg-query -W -f '${Package} ${Version} ' gcc-12)"
