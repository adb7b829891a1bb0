# shellcheck shell=bash
# Common functions of the build scripts and of the lab. Source it; it sets -euo pipefail.
#
#   need_packages PKG[>=VERSION]...     install the Debian packages that are missing; never a kernel. check-host reads
#                                       these lines in all scripts: the names stand there as they are
#   apt_private SUITE ARG...            apt-get with a sources list and an index of its own
#   debian_source PKG SUITE             a Debian source package, not unpacked: prints the directory of its files
#   debian_package PKG SUITE            a Debian binary package, unpacked, not installed: prints the directory
#   debian_unpack PKG SUITE DIR         unpack the source package, with Debian's patches, as DIR
#   linux_choice                        print VERSION and RELEASE (uname -r) of the Linux 6.12 that a build takes now
#   linux_tree                          fetch it if need be; print its directory: release, vmlinuz, headers/ (for
#                                       external modules), source/, lib/modules/. Read only for all. It is named after
#                                       VERSION, and stays as long as a build/hyp is made from it
#   linux_source, linux_version, kernel_release    print the source/ of that tree; its VERSION; its RELEASE
#   apply_patches DIR PATCH...          with patch -p1; lines must match exactly, they may only have moved
#   build_cached PART FUNC INPUT...     build/PART from the cache, or built by FUNC
#   logged NAME LOG COMMAND...          run it, its output in LOG, with a line of progress; its status in $code
#   step WORDS                          inside COMMAND and FUNC: names what is going on, for the progress line
#   say WORDS, die WORDS                a line on stderr; the same, and exit 1
#   log_failed LOG WORDS                how the log ends and where it is; then as die
#   lab_jobs                            print how many labs this machine can run at once
#
# What comes from Debian is in the version that the index offers, which is fetched once a day. Where the registry does
# not give it, it is the newest that was fetched before, or else an older one that it does give, and a note says so.
#
# Variables: top (the repository), build ($top/build), cache, lab_memory. V=1 in the environment shows logs live.
#
# These functions rely on set -e: call them as simple commands, not after `if`, `!`, `&&` or `||`.

set -euo pipefail
shopt -s inherit_errexit

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034  # for the scripts that source this
build=$top/build
cache=${INKTAG_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/inktag}
# Where an ordinary user's shell does not look: modprobe, insmod.
export PATH=$PATH:/usr/sbin:/sbin
# MiB: L1 and the QEMU that emulates it.
# shellcheck disable=SC2034  # check-host and README have it, too
lab_memory=4096
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
mkdir -p "$cache/logs" "$cache/locks"

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }
step() { printf '== %s\n' "$*"; }

# log_failed LOG WORDS: show how the log ends and where it is, then exit 1.
log_failed() {
	local log=$1
	shift
	say "--- the last lines of $log:"
	tail -n 30 "$log" >&2
	die "$*; the whole log is $log"
}

# Shows that PID is at work, from its log, until it ends: each second on a terminal, else each half minute.
show_progress() {
	local pid=$1 log=$2 part=$3 start=$SECONDS shown=$SECONDS every=30 line
	[[ ! -t 2 ]] || every=1
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.1
		((SECONDS - shown >= every)) || continue
		shown=$SECONDS
		line=$(printf '%-13s %3d:%02d  %6d lines  %s' "$part" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)) \
			"$(wc -l <"$log")" "$(awk '/^== /{ s = substr($0, 4) } END { print s == "" ? $0 : s }' "$log")")
		if [[ -t 2 ]]; then printf '\r%.100s\033[K' "$line" >&2; else say "$line"; fi
	done
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
}

# COMMAND gets a shell of its own with set -e, whose exit does not end this one, and not the caller's $lock.
# On return INT and TERM have their default again.
logged() {
	local name=$1 log=$2 pid
	shift 2
	code=0
	: >"$log"
	# A process group of its own, so that an interrupt ends all of it.
	set -m
	(
		set +m -euo pipefail
		[[ ! ${lock-} ]] || exec {lock}>&-
		"$@"
	) </dev/null >"$log" 2>&1 &
	pid=$!
	set +m
	# shellcheck disable=SC2064  # this pid, now
	trap "kill -- -$pid 2>/dev/null; exit 130" INT TERM
	if [[ ${V-} == 1 ]]; then
		tail -f --pid="$pid" -n +1 "$log" >&2
	else
		show_progress "$pid" "$log" "$name"
	fi
	wait "$pid" || code=$?
	trap - INT TERM
}

# Is PKG, or PKG>=VERSION, installed?
package_installed() {
	local name=${1%%>=*} want='' have
	[[ $1 != *'>='* ]] || want=${1#*>=}
	have=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null) || return 1
	[[ $have == 'installed '* ]] || return 1
	[[ -z $want ]] || dpkg --compare-versions "${have#installed }" ge "$want"
}

install_packages() {
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0
		-o APT::Update::Error-Mode=any)
	step 'apt-get update'
	"${apt[@]}" update
	step "apt-get install ($# packages and what they need)"
	"${apt[@]}" install -y --no-install-recommends "$@"
}

need_packages() {
	local p lock code missing=() log=$cache/logs/apt.log
	for p; do package_installed "$p" || missing+=("$p"); done
	((${#missing[@]})) || return 0
	((EUID == 0)) || die "these packages are missing and only root can install them: ${missing[*]}"
	exec {lock}>"$cache/locks/apt"
	flock "$lock"
	say "installing: ${missing[*]}"
	logged packages "$log" install_packages "${missing[@]%%>=*}"
	((code == 0)) || log_failed "$log" "could not install ${missing[*]}: is the Debian mirror reachable?"
	exec {lock}>&-
	for p in "${missing[@]}"; do
		package_installed "$p" || die "after installation $p is still not there: its version here is too old"
	done
}

# The Debian mirror of this machine's own sources; a proxy set for apt holds for us too.
debian_mirror() {
	local uri
	uri=$(sed -n 's|^URIs: *\([^ ]*/debian\)/*$|\1|p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1) || true
	[[ $uri ]] || uri=$(awk '$1 == "deb" && $3 ~ /^bookworm/ {
		for (i = 2; i <= NF; i++) if ($i ~ /\/debian\/?$/) { sub(/\/$/, "", $i); print $i; exit } }' \
		/etc/apt/sources.list 2>/dev/null) || true
	printf '%s\n' "${uri:-http://deb.debian.org/debian}"
}

# Brings SUITE's index up to date and sets apt_options; status 1 (after a word on why) if there is no index at all.
# The system's sources, lists, packages and preferences stay untouched, and count for nothing. A suite without a dash
# (bookworm, trixie) brings its -updates and -security along.
apt_index() {
	local suite=$1 dir=$cache/apt/$1 log=$cache/logs/apt-$1-index.log mirror lock code
	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	exec {lock}>"$cache/locks/apt-$suite"
	flock "$lock"
	mirror=$(debian_mirror)
	{
		printf 'Types: deb deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' "$mirror" \
			"$suite$([[ $suite == *-* ]] || echo " $suite-updates")" /usr/share/keyrings/debian-archive-keyring.gpg
		[[ $suite == *-* ]] ||
			printf 'Types: deb deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
				"${mirror%/debian}/debian-security" "$suite-security" /usr/share/keyrings/debian-archive-keyring.gpg
	} >"$dir/new.sources"
	apt_options=(-q -o Dir::Etc::sourcelist="$dir/debian.sources" -o Dir::Etc::sourceparts=/dev/null
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null -o APT::Default-Release=
		-o Dir::State::status=/dev/null -o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir"
		-o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin
		-o APT::Sandbox::User=root -o APT::Update::Error-Mode=any)
	if ! cmp -s "$dir/new.sources" "$dir/debian.sources"; then
		rm -f "$dir/fetched" "$dir/failed"
		mv "$dir/new.sources" "$dir/debian.sources"
	fi
	# The index is good for a day; a registry that does not answer is left in peace for ten minutes.
	if [[ -z $(find "$dir/fetched" -mmin -1440 2>/dev/null) && -z $(find "$dir/failed" -mmin -10 2>/dev/null) ]]; then
		logged "index" "$log" apt-get "${apt_options[@]}" update
		if ((code == 0)); then
			rm -f "$dir/failed"
			touch "$dir/fetched"
		else
			touch "$dir/failed"
			say "cannot fetch the index of Debian $suite from $mirror: $(grep -m 1 '^[EW]:' "$log") (the whole log is $log)"
		fi
	fi
	exec {lock}>&-
	[[ -e $dir/fetched ]] || { say "the index of Debian $suite could not be fetched; the log is $log" && return 1; }
}

# apt_ask SUITE COMMAND ARG...: COMMAND (apt-get, apt-cache) on the private index.
apt_ask() (
	apt_index "$1" || exit
	exec {lock}>"$cache/locks/apt-$1"
	flock "$lock"
	LC_ALL=C "$2" "${apt_options[@]}" "${@:3}"
)

# As apt_private; its status in $code.
apt_try() {
	local suite=$1 lock log=$cache/logs/apt-$1.log
	shift
	code=1
	apt_index "$suite" || return 0
	exec {lock}>"$cache/locks/apt-$suite"
	flock "$lock"
	logged "apt $suite" "$log" apt-get "${apt_options[@]}" "$@"
	exec {lock}>&-
}

apt_private() {
	local code
	apt_try "$@"
	((code == 0)) || log_failed "$cache/logs/apt-$1.log" "apt-get ${*:2} ($1) failed"
}

# The newest directory DIR/PREFIX* that is complete; status 1 if there is none.
newest() {
	local found
	found=$(find "$1" -mindepth 2 -maxdepth 2 -path "$1/$2*/.complete" 2>/dev/null | sort -V | tail -n 1)
	[[ $found ]] && printf '%s\n' "${found%/.complete}"
}

# fetch_package VERB PKG SUITE DIR [VERSION]: verified by apt, and unpacked if it is a binary package. Status in $code.
fetch_package() {
	local verb=$1 pkg=$2 suite=$3 dir=$4 version=${5:+=$5} new
	new=${dir%/*}/new-$pkg
	rm -rf "$new"
	mkdir "$new"
	say "fetching ${dir##*/} (Debian $suite)"
	cd "$new"
	if [[ $verb == source ]]; then
		apt_try "$suite" source --download-only "$pkg$version"
	else
		apt_try "$suite" download "$pkg$version"
	fi
	cd "$OLDPWD"
	if ((code == 0)); then
		[[ $verb == source ]] || dpkg-deb -x "$new/$pkg"_*.deb "$new"
		touch "$new/.complete"
		rm -rf "$dir"
		mv "$new" "$dir"
	else
		rm -rf "$new"
	fi
}

# debian_fetch VERB PKG SUITE: VERB is apt-get's: source, download. Prints the directory, which is named after the version.
debian_fetch() {
	local verb=$1 pkg=$2 suite=$3 home=$cache/sources/$3 name dir lock code=1 old version
	name=$(debian_offer "$@") || name=''
	mkdir -p "$home"
	exec {lock}>"$cache/locks/sources-$pkg-$suite"
	flock "$lock"
	dir=$home/$name
	if [[ ! $name || ! -e $dir/.complete ]]; then
		if [[ $name ]]; then fetch_package "$verb" "$pkg" "$suite" "$dir"; fi
		if ((code == 0)); then
			# One older version stays, for who is just building from it.
			find "$home" -mindepth 1 -maxdepth 1 -name "${pkg}_*" | sort -V | head -n -2 | xargs -r rm -rf
		elif old=$(newest "$home" "${pkg}_"); then
			say "note: cannot fetch what Debian $suite offers of $pkg: going on with ${old##*/}, fetched before"
			dir=$old
		else
			[[ $name ]] || die "cannot fetch $pkg: the index of Debian $suite is not there, or does not have it"
			# A mirror that is behind names files that it does not have yet, and has those before.
			for version in $(debian_versions "$verb" "$pkg" "$suite" | tail -n +2); do
				say "note: cannot fetch ${dir##*/}, which Debian $suite offers: trying the version before it"
				dir=$home/${pkg}_${version#*:}
				fetch_package "$verb" "$pkg" "$suite" "$dir" "$version"
				if ((code == 0)); then break; fi
			done
			((code == 0)) || log_failed "$cache/logs/apt-$suite.log" "cannot fetch $pkg of Debian $suite"
		fi
	fi
	exec {lock}>&-
	printf '%s\n' "$dir"
}

# All versions that the index has, the newest first.
debian_versions() {
	local ask=show
	[[ $1 != source ]] || ask=showsrc
	apt_ask "$3" apt-cache "$ask" "$2" | sed -n 's/^Version: //p' | sort -ruV
}

# What the index offers, as the name of a directory: PKG_VERSION and more; status 1 without an index or such a package.
debian_offer() {
	local name
	name=$(apt_ask "$3" apt-get "$1" --print-uris "$2" | sed -nE "s/^'[^']*' ($2_[^ ]*)\.(dsc|deb) .*/\1/p")
	[[ $name ]] && printf '%s\n' "$name"
}

debian_source() { debian_fetch source "$1" "$2"; }
debian_package() { debian_fetch download "$1" "$2"; }

debian_unpack() {
	local dir dsc
	need_packages dpkg-dev
	dir=$(debian_source "$1" "$2")
	dsc=("$dir"/*.dsc)
	rm -rf "$3"
	dpkg-source --no-copy -x "${dsc[0]}" "$3"
}

# The packages that a release of Linux consists of. Image, headers and source must be of one point release: our patches
# are applied to the source, and what is built from it is loaded into the image.
linux_packages() {
	printf '%s\n' "linux-image-$1" "linux-headers-$1" "linux-headers-${1%-amd64}-common" "linux-kbuild-${1%-amd64}" \
		linux-source-6.12
}

# Status 1: there is no index, and nothing in the cache; 2: Debian has no Linux 6.12; 3: what it has is of several releases.
linux_choice() {
	local tree facts versions
	if ! apt_index bookworm; then
		tree=$(newest "$cache/linux" 6.) || { say 'and no Linux was fetched before' && return 1; }
		say "note: going on with Linux ${tree##*/}, fetched before"
		printf '%s %s\n' "${tree##*/}" "$(<"$tree/release")"
		return
	fi
	# Version and release, twice.
	mapfile -t facts < <(apt_ask bookworm apt-cache show --no-all-versions linux-image-6.12-amd64 linux-headers-6.12-amd64 \
		2>/dev/null | sed -nE 's/^Version: //p; s/^Depends:.*linux-(image|headers)-(6\.12[^ ]*-amd64).*/\2/p')
	if ((${#facts[@]} != 4)); then
		say "the mirror of Debian bookworm has no linux-image-6.12-amd64 and linux-headers-6.12-amd64:" \
			"it lacks the suite bookworm-security"
		return 2
	fi
	mapfile -t versions < <(printf '%s\n' "${facts[0]}" "${facts[2]}"
		mapfile -t names < <(linux_packages "${facts[1]}")
		apt_ask bookworm apt-cache show --no-all-versions "${names[@]}" 2>/dev/null | sed -n 's/^Version: //p')
	if ((${#versions[@]} != 7 || $(printf '%s\n' "${versions[@]}" | sort -u | wc -l) != 1)) || [[ ${facts[1]} != "${facts[3]}" ]]; then
		say "the mirror of Debian bookworm has parts of different point releases of Linux 6.12 (${versions[*]}):" \
			'it is being updated; try again in some hours'
		return 3
	fi
	printf '%s %s\n' "${facts[0]}" "${facts[1]}"
}

# The packages, unpacked side by side; no script of theirs runs.
fetch_linux() {
	local tree=$1 version=$2 release=$3 final=$4 names p
	mapfile -t names < <(linux_packages "$release")
	mkdir -p "$tree/debs" "$tree/source"
	step "fetching 270 MB"
	cd "$tree/debs"
	apt_private bookworm download "${names[@]/%/=$version}"
	for p in *.deb; do
		step "unpacking ${p%%_*}"
		dpkg-deb -x "$p" "$tree"
	done
	cd "$tree"
	rm -r debs
	tar -C source --strip-components=1 -xf usr/src/linux-source-6.12.tar.xz
	rm usr/src/linux-source-6.12.tar.xz
	step 'finishing'
	# The links to kbuild's scripts and tools are relative; this is not.
	sed -i "s|/usr/src/|$final/usr/src/|" "usr/src/linux-headers-$release/Makefile"
	ln -s "usr/src/linux-headers-$release" headers
	ln -s "boot/vmlinuz-$release" vmlinuz
	depmod -b "$tree" "$release"
	printf '%s\n' "$release" >release
	touch .complete
}

# Those that a build of the hypervisor is made from stay, and the last two.
prune_linux() {
	local tree used
	used=$(find "$cache/hyp" -mindepth 2 -maxdepth 2 -name linux -printf '%l\n' 2>/dev/null) || true
	find "$cache/linux" -mindepth 1 -maxdepth 1 -name '[0-9]*' | sort -V | head -n -2 | while read -r tree; do
		grep -qxF -- "$tree" <<<"$used" || rm -rf "$tree"
	done
}

linux_tree() {
	local choice version release tree lock code old log=$cache/logs/linux.log
	need_packages kmod xz-utils
	choice=$(linux_choice)
	read -r version release <<<"$choice"
	tree=$cache/linux/$version
	mkdir -p "$cache/linux"
	exec {lock}>"$cache/locks/linux"
	flock "$lock"
	if [[ ! -e $tree/.complete ]]; then
		say "fetching Linux $version (to the cache; nothing is installed)"
		rm -rf "$cache/linux/new" "$tree"
		logged linux "$log" fetch_linux "$cache/linux/new" "$version" "$release" "$tree"
		if ((code == 0)); then
			mv "$cache/linux/new" "$tree"
			prune_linux
		else
			rm -rf "$cache/linux/new"
			old=$(newest "$cache/linux" 6.) || log_failed "$log" "cannot fetch Linux $version from Debian's mirror"
			say "note: cannot fetch Linux $version (the log is $log): going on with ${old##*/}, fetched before"
			tree=$old
		fi
	fi
	exec {lock}>&-
	printf '%s\n' "$tree"
}

linux_source() {
	local tree
	tree=$(linux_tree)
	printf '%s\n' "$tree/source"
}

linux_version() {
	local tree
	tree=$(linux_tree)
	printf '%s\n' "${tree##*/}"
}

kernel_release() {
	local tree
	tree=$(linux_tree)
	cat "$tree/release"
}

apply_patches() {
	local dir=$1 patch
	shift
	for patch; do
		echo "applying ${patch##*/}"
		patch -d "$dir" -p1 --fuzz=0 --no-backup-if-mismatch <"$patch"
	done
}

# Each lab takes a CPU for itself, and lab_memory; one runs in any case.
lab_jobs() {
	local jobs room
	jobs=$(nproc)
	room=$(awk -v lab="$lab_memory" '$1 == "MemAvailable:" { print int($2 / 1024 / lab) }' /proc/meminfo)
	((room >= jobs)) || jobs=$room
	printf '%s\n' $((jobs > 0 ? jobs : 1))
}

# One line per input file (name relative to the repository, content), nothing about times.
hash_inputs() {
	local i
	for i; do
		case $i in
		str:*) printf '%s\n' "$i" ;;
		*)
			[[ -e $i ]] || die "build input $i does not exist"
			find -L "$i" -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum | sed "s|  $top/|  |"
			;;
		esac
	done | sha256sum | cut -c1-32
}

# Does a build/ of this or another clone point to the result? Each that ever did stands in the list beside it.
is_linked() {
	local link
	[[ -e $1.links ]] || return 1
	while read -r link; do
		[[ $(readlink "$link") != "$1" ]] || return 0
	done <"$1.links"
	return 1
}

# Results of earlier inputs are kept: the last three of each part, and what a build/ points to.
prune_cache() {
	local d lock
	find "$cache/$1" -mindepth 2 -maxdepth 2 -name .complete -printf '%T@ %h\n' | sort -rn | tail -n +4 | cut -d' ' -f2- |
		while read -r d; do
			exec {lock}>"$cache/locks/$1-${d##*/}"
			if flock -n "$lock" && ! is_linked "$d"; then rm -rf "$d" "$d.links"; fi
			exec {lock}>&-
		done
}

# build_cached PART FUNC INPUT...
# Links build/PART to the result for these inputs: files, directories, and str:WORDS (package versions, options).
# If it is not in the cache, FUNC OUTDIR makes it, in a shell of its own with set -e. OUTDIR is where the result
# stays, so absolute paths in it hold.
build_cached() {
	local part=$1 func=$2 key out log lock code start=$SECONDS
	shift 2
	key=$(hash_inputs "$@")
	out=$cache/$part/$key
	log=$cache/logs/$part.log
	mkdir -p "$cache/$part" "$top/build"
	exec {lock}>"$cache/locks/$part-$key"
	flock "$lock"
	if [[ ! -e $out/.complete ]]; then
		rm -rf "$out"
		mkdir -p "$out"
		logged "$part" "$log" "$func" "$out"
		((code == 0)) || log_failed "$log" "building $part failed (status $code)"
		say "$(printf '%-13s built in %d:%02d' "$part" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)))"
	fi
	touch "$out/.complete"
	ln -sfn "$out" "$top/build/$part"
	grep -qxsF -- "$top/build/$part" "$out.links" || printf '%s\n' "$top/build/$part" >>"$out.links"
	exec {lock}>&-
	prune_cache "$part"
}
