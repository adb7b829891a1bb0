#!/bin/bash
# Builds the hypervisor: KVM of Debian's Linux 6.12 with hyp/patches and the files of hyp/.
#
#   tools/build/hyp.sh [--help]
#
# Result in build/hyp:
#   kvm.ko, kvm-amd.ko   for the release of Debian's linux-image-6.12-amd64
#   debug/               the same with debug information
#   linux                that release: image, modules, headers, source, unpacked in the cache
#
# In a directory laid out as the kernel tree, with only KVM's files in it:
#   arch/x86/kvm virt/kvm and the headers about KVM   from linux-source-6.12
#   arch/x86/kvm/inktag/                              hyp/core/*.[chS] hyp/kvm/*.[chS] hyp/svm/*.[chS], flat
#   arch/x86/kvm/inktag/include/inktag/               hyp/include/inktag
# then hyp/patches/*.patch in order, with patch -p1. Headers in this directory go before those of the headers
# package, so patches may change them.
case ${1-} in
--help) sed -n '2,/^[^#]/s/^# \?//p' "$0"; exit ;;
?*) echo "hyp.sh: unknown argument $1" >&2; exit 2 ;;
esac
. "$(dirname "$0")/../lib.sh"

# What the headers' own tools (objtool, modpost) are linked with is here, too.
need_packages gcc-12 binutils make patch ccache kmod xz-utils libelf1 libssl3 zlib1g
linux=$(linux_tree)

kvm_files=(
	arch/x86/kvm virt/kvm
	arch/x86/include/asm/kvm{_host,-x86-ops,-x86-pmu-ops,_page_track,_types,_vcpu_regs,_para}.h
	arch/x86/include/asm/svm.h
	arch/x86/include/uapi/asm/{kvm,kvm_para,svm}.h
	include/linux/kvm_{dirty_ring,host,irqfd,types,para}.h
	include/uapi/linux/{kvm,kvm_para}.h
	include/trace/events/kvm.h include/trace/define_trace.h
)

lay_out() {
	local tree=$1 file kvm=$1/arch/x86/kvm
	step 'laying out the tree'
	rm -rf "$tree"
	mkdir -p "$tree"
	tar -C "$linux/source" -c "${kvm_files[@]}" | tar -C "$tree" -x
	mkdir -p "$kvm/inktag/include"
	for file in "$top"/hyp/{core,kvm,svm}/*.[chS]; do cp "$file" "$kvm/inktag/"; done
	cp -r "$top/hyp/include/inktag" "$kvm/inktag/include/"
	apply_patches "$tree" "$top"/hyp/patches/*.patch
	# The Makefile looks for its own tree in $(srctree), which is the headers package here.
	# shellcheck disable=SC2016
	sed -i 's|\$(srctree)|$(src)/../../..|' "$kvm/Makefile"
}

# One directory for all builds, so that ccache sees the same paths.
build_hyp() {
	local out=$1 tree=$cache/work/hyp lock m
	mkdir -p "$cache/work" "$out/debug"
	exec {lock}>"$cache/locks/hyp-work"
	flock "$lock"
	lay_out "$tree"
	step 'compiling'
	# NOSTDINC_FLAGS are the only flags before the include path of the headers package.
	# In depend mode ccache does not preprocess each file a second time.
	CCACHE_DEPEND=1 nice make -C "$linux/headers" -j"$(nproc)" M="$tree/arch/x86/kvm" \
		CONFIG_KVM_INTEL=n CONFIG_DEBUG_INFO_BTF_MODULES= DEBIAN_KERNEL_USE_CCACHE=1 \
		NOSTDINC_FLAGS="-nostdinc -I$tree/arch/x86/include -I$tree/include -I$tree/arch/x86/include/uapi -I$tree/include/uapi" \
		modules
	for m in kvm kvm-amd; do
		cp "$tree/arch/x86/kvm/$m.ko" "$out/debug/"
		strip --strip-debug -o "$out/$m.ko" "$out/debug/$m.ko"
	done
	ln -s "$linux" "$out/linux"
	exec {lock}>&-
}

shopt -s nullglob
inputs=("$0" "$top/hyp/include" "str:${linux##*/}" "str:$(dpkg-query -W -f '${Version}' gcc-12)")
for dir in "$top"/hyp/{core,kvm,svm,patches}; do
	[[ ! -d $dir ]] || inputs+=("$dir")
done
build_cached hyp build_hyp "${inputs[@]}"
