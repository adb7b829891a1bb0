#!/bin/bash
# Builds QEMU 10.0 (Debian 13's source package) with the device inktag.
#
#   tools/build/qemu.sh [--help]
#
# Result: build/qemu/bin/qemu-system-x86_64, which takes its firmware from the packages seabios and
# qemu-system-data. The sources are QEMU's with Debian's patches, then
#   .                         qemu-patches/files
#   linux-headers/inktag/     hyp/include/inktag
# then qemu-patches/*.patch in order, with patch -p1.
case ${1-} in
--help) sed -n '2,/^[^#]/s/^# \?//p' "$0"; exit ;;
?*) echo "qemu.sh: unknown argument $1" >&2; exit 2 ;;
esac
. "$(dirname "$0")/../lib.sh"

patches=$top/qemu-patches
abi=$top/hyp/include/inktag

# KVM is what this QEMU runs VMs with. In the lab it emulates the machine beneath, too, where Debian's own QEMU cannot.
options=(
	--python=/usr/bin/python3 --disable-download
	--target-list=x86_64-softmmu --without-default-features
	--without-default-devices --with-devices-x86_64=inktag
	--enable-system --enable-kvm --enable-tcg --enable-virtfs --enable-attr
	--enable-werror --disable-tools --disable-docs --disable-pixman --disable-debug-info
	--disable-install-blobs --firmwarepath=/usr/share/seabios:/usr/share/qemu
)

need_packages gcc gcc-12 libc6-dev ccache make ninja-build pkgconf patch dpkg-dev libglib2.0-dev zlib1g-dev \
	libsqlite3-dev libssl-dev \
	python3 python3-venv python3-setuptools python3-pkg-resources seabios qemu-system-data
source=$(debian_source qemu trixie)

# QEMU 10.0 asks for a newer Meson than Debian 12 has. It is unpacked in the cache, not installed.
add_meson() {
	local meson
	meson=$(debian_package meson bookworm-backports)
	export PYTHONPATH=$meson/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1
}

# One directory for all builds, so that ccache sees the same paths.
build_qemu() {
	local out=$1 work=$cache/work/qemu lock
	mkdir -p "$cache/work"
	exec {lock}>"$cache/locks/qemu-work"
	flock "$lock"
	rm -rf "$work"
	mkdir -p "$work/build"

	step 'unpacking'
	debian_unpack qemu trixie "$work/src"
	cp -r "$patches/files/." "$work/src/"
	cp -r "$abi" "$work/src/linux-headers/"
	apply_patches "$work/src" "$patches"/*.patch

	step 'configuring'
	add_meson
	cd "$work/build"
	CC='ccache gcc' ../src/configure "${options[@]}"

	step 'compiling'
	nice ninja -j"$(nproc)" qemu-system-x86_64
	install -D -s -t "$out/bin" qemu-system-x86_64
	cd "$out"
	rm -rf "$work"
	exec {lock}>&-
}

build_cached qemu build_qemu "$0" "$patches/files" "$patches"/*.patch "$abi" \
	"str:$(cd "$source" && echo *.dsc)" "str:$(dpkg-query -W -f '${Version} ' gcc-12 libglib2.0-dev libsqlite3-dev libssl-dev)"
