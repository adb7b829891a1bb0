# shellcheck shell=bash
# Common functions of the build scripts and of the lab. Source it; it sets -euo pipefail.
#
#   need_packages PKG[>=VERSION]...     install the Debian packages that are missing
#   apt_private SUITE ARG...            apt-get with a sources list and an index of its own
#   debian_source PKG [SUITE]           fetch a Debian source package, print the directory of its files
#   debian_unpack PKG SUITE DIR         fetch it and unpack it, with Debian's patches, as DIR
#   kernel_release                      print the release (uname -r) of the installed Linux 6.12 headers and image
#   linux_source                        unpack the source of that very release in the cache, print its directory
#   build_cached PART FUNC INPUT...     build/PART from the cache, or built by FUNC
#   step WORDS                          inside FUNC: names what is going on, for the progress line
#   say WORDS, die WORDS                a line on stderr; the same, and exit 1
#
# Variables: top (the repository), build ($top/build), cache. V=1 in the environment shows logs live.
#
# These functions rely on set -e: call them as simple commands, not after `if`, `!`, `&&` or `||`.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck disable=SC2034  # for the scripts that source this
build=$top/build
cache=${INKTAG_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/inktag}
# Where an ordinary user's shell does not look: modprobe, insmod.
export PATH=$PATH:/usr/sbin:/sbin
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

# Is PKG, or PKG>=VERSION, installed?
package_installed() {
	local name=${1%%>=*} want='' have
	[[ $1 != *'>='* ]] || want=${1#*>=}
	have=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null) || return 1
	[[ $have == 'installed '* ]] || return 1
	[[ -z $want ]] || dpkg --compare-versions "${have#installed }" ge "$want"
}

need_packages() {
	local p lock missing=() log=$cache/logs/apt.log
	for p; do package_installed "$p" || missing+=("$p"); done
	((${#missing[@]})) || return 0
	((EUID == 0)) || die "these packages are missing and only root can install them: ${missing[*]}"
	exec {lock}>"$cache/locks/apt"
	flock "$lock"
	say "installing: ${missing[*]}"
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o APT::Update::Error-Mode=any)
	"${apt[@]}" update >"$log" 2>&1 || log_failed "$log" "apt-get update failed: is the Debian mirror reachable?"
	"${apt[@]}" install -y --no-install-recommends "${missing[@]%%>=*}" >>"$log" 2>&1 ||
		log_failed "$log" "apt-get could not install ${missing[*]}"
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

# The system's sources, lists and cache of packages stay untouched. A suite without a dash
# (bookworm, trixie) brings its -updates and -security along.
apt_private() {
	local suite=$1 dir mirror lock log
	shift
	dir=$cache/apt/$suite
	log=$cache/logs/apt-$suite.log
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
	local apt=(apt-get -q -o Dir::Etc::sourcelist="$dir/debian.sources" -o Dir::Etc::sourceparts=/dev/null
		-o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir" -o APT::Sandbox::User=root)
	# The index is good for a day.
	if ! cmp -s "$dir/new.sources" "$dir/debian.sources" || [[ -z $(find "$dir/fetched" -mmin -1440 2>/dev/null) ]]; then
		mv "$dir/new.sources" "$dir/debian.sources"
		"${apt[@]}" update >"$log" 2>&1 || log_failed "$log" "cannot fetch the index of Debian $suite from $mirror"
		touch "$dir/fetched"
	fi
	"${apt[@]}" "$@" >>"$log" 2>&1 || log_failed "$log" "apt-get $* ($suite) failed"
	exec {lock}>&-
}

# Fetched once, then taken from the cache: the .dsc and its tarballs, verified by apt, not unpacked.
debian_source() {
	local pkg=$1 suite=${2:-bookworm} dir
	dir=$cache/sources/$suite/$pkg
	if [[ ! -e $dir/.complete ]]; then
		rm -rf "$dir"
		mkdir -p "$dir"
		say "fetching the source package $pkg ($suite)"
		(
			cd "$dir"
			apt_private "$suite" source --download-only "$pkg"
		)
		touch "$dir/.complete"
	fi
	printf '%s\n' "$dir"
}

debian_unpack() {
	local dir dsc
	need_packages dpkg-dev
	dir=$(debian_source "$1" "$2")
	dsc=("$dir"/*.dsc)
	rm -rf "$3"
	dpkg-source --no-copy -x "${dsc[0]}" "$3"
}

# The headers, the image and the source must be of one point release: our patches are applied to the source, and
# what is built from it is loaded into the image.
kernel_release() {
	local headers source image v
	need_packages linux-headers-6.12-amd64 linux-image-6.12-amd64 linux-source-6.12
	headers=$(dpkg-query -W -f '${Version}' linux-headers-6.12-amd64)
	source=$(dpkg-query -W -f '${Version}' linux-source-6.12)
	image=$(dpkg-query -W -f '${Version}' linux-image-6.12-amd64)
	[[ $headers == "$source" && $headers == "$image" ]] ||
		die "the installed Linux 6.12 packages are of different releases (headers $headers, image $image," \
			"source $source): run apt-get install linux-headers-6.12-amd64 linux-image-6.12-amd64 linux-source-6.12"
	v=$(dpkg-query -W -f '${Depends}' linux-headers-6.12-amd64)
	v=${v#linux-headers-}
	printf '%s\n' "${v%% *}"
}

# Unpacked once per release; read only for all parts.
linux_source() {
	local version dir lock
	need_packages xz-utils
	kernel_release >/dev/null
	version=$(dpkg-query -W -f '${Version}' linux-source-6.12)
	dir=$cache/sources/linux-$version
	exec {lock}>"$cache/locks/linux-source"
	flock "$lock"
	if [[ ! -e $dir/.complete ]]; then
		say "unpacking the source of Linux $version"
		rm -rf "$cache"/sources/linux-*
		mkdir -p "$dir"
		tar -C "$dir" --strip-components=1 -xf /usr/src/linux-source-6.12.tar.xz
		touch "$dir/.complete"
	fi
	exec {lock}>&-
	printf '%s\n' "$dir"
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

# Shows that PID is at work, from its log, until it ends.
show_progress() {
	local pid=$1 log=$2 part=$3 start=$SECONDS shown=0 line
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		line=$(printf '%-13s %3d:%02d  %6d lines  %s' "$part" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)) \
			"$(wc -l <"$log")" "$(sed -n 's/^== //p' "$log" | tail -n 1)")
		if [[ -t 2 ]]; then
			printf '\r%.100s\033[K' "$line" >&2
		elif ((SECONDS - start >= shown + 30)); then
			shown=$((SECONDS - start))
			say "$line"
		fi
	done
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
}

# Results of earlier inputs are kept, the last three of each part.
prune_cache() {
	local d lock
	find "$cache/$1" -mindepth 2 -maxdepth 2 -name .complete -printf '%T@ %h\n' | sort -rn | tail -n +4 | cut -d' ' -f2- |
		while read -r d; do
			exec {lock}>"$cache/locks/$1-${d##*/}"
			if flock -n "$lock"; then rm -rf "$d"; fi
			exec {lock}>&-
		done
}

# build_cached PART FUNC INPUT...
# Links build/PART to the result for these inputs: files, directories, and str:WORDS (package versions, options).
# If it is not in the cache, FUNC OUTDIR makes it, in a shell of its own with set -e. OUTDIR is where the result
# stays, so absolute paths in it hold.
build_cached() {
	local part=$1 func=$2 key out log lock pid code=0 start=$SECONDS
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
		: >"$log"
		# A process group of its own, so that an interrupt ends all of it.
		set -m
		(
			set +m -euo pipefail
			"$func" "$out"
		) </dev/null >"$log" 2>&1 {lock}>&- &
		pid=$!
		set +m
		# shellcheck disable=SC2064  # this pid, now
		trap "kill -- -$pid 2>/dev/null; exit 130" INT TERM
		if [[ ${V-} == 1 ]]; then
			tail -f --pid="$pid" -n +1 "$log" >&2
		else
			show_progress "$pid" "$log" "$part"
		fi
		wait "$pid" || code=$?
		trap - INT TERM
		((code == 0)) || log_failed "$log" "building $part failed (status $code)"
		say "$(printf '%-13s built in %d:%02d' "$part" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)))"
	fi
	touch "$out/.complete"
	ln -sfn "$out" "$top/build/$part"
	exec {lock}>&-
	prune_cache "$part"
}
