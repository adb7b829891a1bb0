#!/bin/bash
# Builds the programs that people run, with inktag-cc: Debian's source packages, their sources unchanged.
#
#   tools/build/realprograms.sh [--help]
#
# Result in build/realprograms:
#   bin/busybox                                       ash and the other applets
#   bin/openssl
#   bin/sqlite3, bin/threadtest3                      its shell, its test of threads
#   bin/redis-server, bin/redis-cli, bin/redis-benchmark
#   bin/lighttpd
#   protected/sqlite3, protected/redis-server         linked again: what they keep in /data/ are protected files
#   share/ash_test                                    busybox' tests of ash
#   client/run                                        starts an ordinary client beside it, with its libraries: ab
#   debuggers/run                                     likewise: gdb, strace
#   times                                             how many seconds each took to build
case ${1-} in
--help) sed -n '2,/^[^#]/s/^# \?//p' "$0"; exit ;;
?*) echo "realprograms.sh: unknown argument $1" >&2; exit 2 ;;
esac
. "$(dirname "$0")/../lib.sh"

need_packages gcc libc6-dev make dpkg-dev ccache perl tcl8.6 apache2-utils strace \
	libdebuginfod1 libexpat1 libgmp10 libipt2 libreadline8 libxxhash0
[[ -e $build/libc/bin/inktag-cc ]] || die "build/libc is missing; run: make libc"
sources=("$(debian_source busybox bookworm)" "$(debian_source openssl bookworm)" "$(debian_source sqlite3 bookworm)"
	"$(debian_source redis bookworm)" "$(debian_source lighttpd bookworm)")
# Not installed: it and gdb exclude each other.
gdb=$(debian_package gdb-minimal bookworm)

# Without what the kernel's headers no longer have (tc's CBQ), or the libc (<ifaddrs.h>, for DHCPv6).
build_busybox() {
	local option
	make defconfig
	for option in TC FEATURE_TC_INGRESS UDHCPC6; do
		grep -q "^CONFIG_$option=y" .config || die "busybox has no option $option"
		sed -i "s/^CONFIG_$option=y/# CONFIG_$option is not set/" .config
	done
	yes '' 2>/dev/null | make oldconfig || [[ ${PIPESTATUS[1]} == 0 ]]
	# Its own link step tries out libraries with flags of its own; SKIP_STRIP keeps the symbols.
	make -j"$(nproc)" CC="$cc" HOSTCC=gcc SKIP_STRIP=y busybox
	cp busybox "$out/bin/"
	cp -r shell/ash_test "$out/share/"
	cp .config "$out/share/ash_test/"
	for option in printenv recho zecho; do "$cc" -O2 -o "$out/share/ash_test/$option" "$out/share/ash_test/$option.c"; done
}

# What needs shared objects cannot be in a static program. Ciphers that few use are left out for the time that they take.
build_openssl() {
	./Configure linux-x86_64 CC="$cc" --prefix=/usr --openssldir=/etc/ssl -O2 enable-ec_nistp_64_gcc_128 \
		no-shared no-pic no-dso no-module no-engine no-tests no-ssl3 no-dtls no-comp no-cms no-cmp no-ts no-srp no-ct no-legacy \
		no-aria no-bf no-camellia no-cast no-gost no-idea no-mdc2 no-rc2 no-rc4 no-rc5 no-rmd160 no-seed no-sm2 no-sm3 no-sm4 \
		no-whirlpool
	make -j"$(nproc)" build_generated
	make -j"$(nproc)" apps/openssl
	cp apps/openssl "$out/bin/"
}

# What runs while it is built, is built for here.
build_sqlite3() {
	./configure --host=x86_64-linux-uclibc CC="$cc" CFLAGS=-O2 BUILD_CC=gcc --disable-tcl --disable-readline --disable-shared
	make -j"$(nproc)" LEMON_FOR_BUILD=lemon-for-build sqlite3 threadtest3
	cp sqlite3 threadtest3 "$out/bin/"
	rm sqlite3
	make LEMON_FOR_BUILD=lemon-for-build LIBREADLINE="$protect" sqlite3
	cp sqlite3 "$out/protected/"
}

# jemalloc would have to be cross-compiled by a configure script that redis runs without saying so.
build_redis() {
	local options=(CC="$cc" MALLOC=libc USE_SYSTEMD=no BUILD_TLS=no DEBUG=)
	make -C src -j"$(nproc)" "${options[@]}" redis-server redis-cli redis-benchmark
	cp src/redis-server src/redis-cli src/redis-benchmark "$out/bin/"
	rm src/redis-server
	# shellcheck disable=SC2016
	make -C src "${options[@]}" REDIS_LD='$(CC) $(FINAL_LDFLAGS) '"$protect" redis-server
	cp src/redis-server "$out/protected/"
}

# As its INSTALL says of a static build: plugin-static.h has the list of modules.
build_lighttpd() {
	local module
	for module in access accesslog alias auth authn_file cgi dirlisting evhost expire fastcgi indexfile proxy redirect rewrite \
		setenv simple_vhost ssi staticfile status userdir; do
		echo "PLUGIN_INIT(mod_$module)"
	done >src/plugin-static.h
	LIGHTTPD_STATIC=yes ./configure --host=x86_64-linux-uclibc CC="$cc" CFLAGS=-O2 --disable-dependency-tracking \
		--enable-static --disable-shared --without-pcre2 --without-zlib --without-bzip2 --without-brotli --without-lua
	make -C src parsers versionstamp
	make -C src -j"$(nproc)" lighttpd
	cp src/lighttpd "$out/bin/"
}

# copy_ordinary DIR PROGRAM...: ordinary programs, with the libraries of this machine that they need.
copy_ordinary() {
	local dir=$out/$1 lib
	mkdir "$dir"
	cp "${@:2}" "$dir/"
	ldd "${@:2}" | grep -oE '^[[:space:]].*' | grep -o '/[^ ]*' | sort -u | while read -r lib; do cp -L "$lib" "$dir/"; done
	# shellcheck disable=SC2016
	printf '%s\n' '#!/bin/sh' 'here=${0%/*} program=$1' 'shift' \
		'exec "$here/ld-linux-x86-64.so.2" --library-path "$here" "$here/$program" "$@"' >"$dir/run"
	chmod +x "$dir/run"
}

# One directory for all builds, and the libc in it, so that ccache sees the same paths: after a change of the
# shim alone, only linking is left to do.
build_realprograms() {
	local out=$1 work=$cache/work/realprograms lock p start
	local cc=$work/libc/bin/inktag-cc protect=--protect=/data/
	exec {lock}>"$cache/locks/realprograms-work"
	flock "$lock"
	rm -rf "$work"
	mkdir -p "$work" "$out/bin" "$out/protected" "$out/share"
	cp -rL "$build/libc" "$work/libc"
	export INKTAG_GCC="ccache gcc" CCACHE_COMPILERCHECK=content
	for p in openssl busybox sqlite3 redis lighttpd; do
		step "$p"
		start=$SECONDS
		debian_unpack "$p" bookworm "$work/$p"
		cd "$work/$p"
		"build_$p"
		printf '%-9s %4d s\n' "$p" $((SECONDS - start)) >>"$out/times"
	done

	step "clients"
	copy_ordinary client /usr/bin/ab
	dpkg-deb -x "$gdb"/*.deb "$work/gdb"
	copy_ordinary debuggers "$work/gdb/usr/bin/gdb" /usr/bin/strace

	step "check"
	cd "$out"
	for p in bin/* protected/*; do "$build/libc/lib/ld-inktag.so.1" --measure "$p"; done
	rm -rf "$work"
	exec {lock}>&-
}

build_cached realprograms build_realprograms "$build/libc/" "${BASH_SOURCE[0]}" "${sources[@]}" "$gdb" \
	"str:$(dpkg-query -W -f '${Package} ${Version} ' apache2-utils strace)"
