// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hosthv.c - runs a protected program on this machine, with ptrace in the place of the
 * hypervisor and of the InkTag kernel. Nothing is protected; loader, shim and libc take the
 * same path as in a HAP, and each of their promises is checked at each world switch:
 *
 *   - no system call is made but through the stub;
 *   - no argument of a system call is an address in protected memory;
 *   - the descriptors agree with the mappings, token by token, and with their protections, and
 *     no two of them name one page of an object;
 *   - the measurement is the one that the loader announces (printed with -m).
 *
 *	hosthv [-m] [-d DESCRIPTORS] [-s STORE] [-l LIE]... PROGRAM [ARGUMENT]...
 *
 * STORE is a file with names and lengths of protected files; it is made if it is not there. Without it the VM has no store.
 *
 * A LIE is told by the "kernel" to the program:
 *	result=NR:VALUE		system call NR returns VALUE, after it was made
 *	after=N			lies begin after N system calls
 *	mm-addr=VALUE		ARCH_INKTAG_MM answers with that address
 *	mm-prev=VALUE		with that neighbour
 *	scribble=NR:OFFSET:HEX	after system call NR, bytes at this offset of its first output buffer's...
 *				start: of the arena buffer that argument 1 names (0x100: argument 0)
 *	withhold=stderr		a write to stderr never returns
 *
 * Exit status: the program's; 137 if it was ended for a violation, which is named on stderr;
 * 99 if a promise was broken or this program failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <dirent.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <inktag/abi.h>

#define PAGE		4096UL
#define HAP_ID		1
#define HANDLE		(1UL << 32 | 1)
#define MAX_VMAS	4096
#define ARENA_TOKEN	1

struct vma {
	uint64_t start, end;
	uint32_t token;
	uint32_t prot;
};

/* The HAP as hypervisor and kernel see it. */
static struct {
	pid_t pid;
	int mem;
	bool attached, running, trusted, entered;
	bool accused;			/* it reported a violation */
	bool lied;			/* program and kernel differ from then on */
	bool in_call;			/* between the two stops of a system call */
	struct user_regs_struct saved;	/* of the thread, while it is out of the trusted context */
	long nr;			/* of the system call it is out for; -1: none */
	uint64_t first[2];		/* its first arguments */
	unsigned long calls;
	struct inktag_start start;
	struct vma vma[MAX_VMAS];	/* with a token; in address order */
	unsigned int vmas;
	/* the request being carried out, and the registers it came with */
	struct inktag_mm mm;
	struct user_regs_struct mm_regs;
	bool in_mm, in_attach;
	uint64_t attributes;
	EVP_MD_CTX *sha;
} hap;

static struct {
	bool measure;
	unsigned long after, descriptors;
	long result_nr, scribble_nr;
	uint64_t result, mm_addr, scribble_offset;
	uint32_t mm_prev;
	bool has_result, has_addr, has_prev, has_scribble, withhold;
	unsigned char scribble[64];
	size_t scribble_len;
} opt;

static _Noreturn void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "hosthv: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	if (hap.pid)
		kill(hap.pid, SIGKILL);
	exit(99);
}

static void peek(uint64_t at, void *buf, size_t n)
{
	if (pread(hap.mem, buf, n, at) != (ssize_t)n)
		fail("cannot read 0x%lx", at);
}

static void poke(uint64_t at, const void *buf, size_t n)
{
	if (pwrite(hap.mem, buf, n, at) != (ssize_t)n)
		fail("cannot write 0x%lx", at);
}

static void get_regs(struct user_regs_struct *r)
{
	if (ptrace(PTRACE_GETREGS, hap.pid, 0, r))
		fail("PTRACE_GETREGS: %s", strerror(errno));
}

static void set_regs(const struct user_regs_struct *r)
{
	if (ptrace(PTRACE_SETREGS, hap.pid, 0, r))
		fail("PTRACE_SETREGS: %s", strerror(errno));
}

static void go(int sig)
{
	/* It may have been killed meanwhile. */
	if (ptrace(PTRACE_SYSCALL, hap.pid, 0, sig) && errno != ESRCH)
		fail("PTRACE_SYSCALL: %s", strerror(errno));
}

/*
 * What VMMCALL does in user space differs from machine to machine: the host of a VM may answer
 * it. UD2 and NOP, as long, are the same everywhere.
 */
static const unsigned char vmmcall[3] = { 0x0f, 0x01, 0xd9 }, trap[3] = { 0x0f, 0x0b, 0x90 };

static void patch_code(void)
{
	char path[64], line[512], perms[8];
	unsigned long start, end, i;
	unsigned char *code;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", hap.pid);
	f = fopen(path, "r");
	if (!f)
		fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) != 3 || perms[2] != 'x' || strstr(line, "[v"))
			continue;
		code = malloc(end - start);
		peek(start, code, end - start);
		for (i = 0; i + 3 <= end - start; i++)
			if (!memcmp(code + i, vmmcall, 3))
				poke(start + i, trap, 3);
		free(code);
	}
	fclose(f);
}

/* --- mappings -------------------------------------------------------------------------------- */

static void vma_clear(uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < hap.vmas;) {
		struct vma *v = &hap.vma[i];

		if (v->end <= start || v->start >= end) {
			i++;
		} else if (v->start < start && v->end > end) {
			if (hap.vmas == MAX_VMAS)
				fail("too many mappings");
			memmove(v + 1, v, (hap.vmas++ - i) * sizeof(*v));
			v[0].end = start;
			v[1].start = end;
			return;
		} else if (v->start < start) {
			v->end = start;
			i++;
		} else if (v->end > end) {
			v->start = end;
			i++;
		} else {
			memmove(v, v + 1, (--hap.vmas - i) * sizeof(*v));
		}
	}
}

static void vma_set(uint64_t start, uint64_t end, uint32_t token, uint32_t prot)
{
	unsigned int i;

	vma_clear(start, end);
	for (i = 0; i < hap.vmas && hap.vma[i].start < start; i++)
		;
	if (hap.vmas == MAX_VMAS)
		fail("too many mappings");
	memmove(&hap.vma[i + 1], &hap.vma[i], (hap.vmas++ - i) * sizeof(*hap.vma));
	hap.vma[i] = (struct vma){ start, end, token, prot };
}

/* The part of [start, end) that the first mapping in it has; NULL: none. */
static struct vma *vma_in(uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < hap.vmas; i++)
		if (hap.vma[i].end > start && hap.vma[i].start < end)
			return &hap.vma[i];
	return NULL;
}

static uint32_t vma_prev(uint64_t addr)
{
	uint32_t token = INKTAG_TOKEN_NONE;
	unsigned int i;

	for (i = 0; i < hap.vmas && hap.vma[i].start < addr; i++)
		token = hap.vma[i].token;
	return token;
}

/* Each page of each descriptor is in a mapping with that token and protection, and no other is. */
static void check_descriptors(void)
{
	static struct inktag_desc d[INKTAG_DESC_MAX];
	unsigned int i, k, known = 0, n = 0;
	uint64_t pages = 0, mapped = 0;

	if (hap.lied)
		return;
	for (i = 0; i < hap.vmas; i++) {
		mapped += (hap.vma[i].end - hap.vma[i].start) / PAGE;
		if (hap.vma[i].token >= known)
			known = hap.vma[i].token + 1;
	}
	/* One more than the kernel knows: it must be free. */
	if (known >= INKTAG_DESC_MAX)
		fail("token %u", known);
	peek(INKTAG_DESC_BASE, d, (known + 1) * sizeof(*d));
	for (i = 0; i <= known; i++) {
		uint64_t at = d[i].addr, end = d[i].addr + d[i].npages * PAGE;
		struct vma *v;

		if (d[i].kind == INKTAG_KIND_NONE)
			continue;
		for (; at < end; at = v->end < end ? v->end : end) {
			v = vma_in(at, at + PAGE);
			if (!v || v->token != i)
				fail("descriptor %u has 0x%lx, the kernel's mapping there has token %d", i, at, v ? (int)v->token : -1);
			if (v->prot != d[i].prot && i != ARENA_TOKEN)
				fail("descriptor %u at 0x%lx has protection %u, the kernel %u", i, at, d[i].prot, v->prot);
		}
		for (k = 0; k < i && d[i].kind == INKTAG_KIND_PRIVATE; k++)
			if (d[k].kind == INKTAG_KIND_PRIVATE && d[k].oid[0] == d[i].oid[0] &&
			    d[k].index < d[i].index + d[i].npages && d[i].index < d[k].index + d[k].npages)
				fail("descriptors %u and %u both have page %lu of object %lu", k, i,
				     (long)(d[k].index > d[i].index ? d[k].index : d[i].index), (long)d[i].oid[0]);
		pages += d[i].npages;
		n++;
	}
	if (pages != mapped)
		fail("%u descriptors have %lu pages, the kernel's mappings %lu", n, pages, mapped);
}

static bool is_protected(uint64_t addr)
{
	struct vma *v = vma_in(addr, addr + 1);

	return v && v->token != ARENA_TOKEN;
}

/* --- the kernel: ARCH_INKTAG_ATTACH, ARCH_INKTAG_MM ------------------------------------------- */

static void mm_enter(struct user_regs_struct *r)
{
	static const long nr[] = { SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, -1 };
	struct inktag_mm *m = &hap.mm;

	hap.mm_regs = *r;
	hap.in_mm = true;
	peek(r->rsi, m, sizeof(*m));
	if (m->op >= INKTAG_MM_OP_COUNT || (m->kind && (m->op != INKTAG_MM_MAP || m->kind != INKTAG_KIND_FILE)))
		fail("bad ARCH_INKTAG_MM request: operation %u, kind %u", m->op, m->kind);
	r->orig_rax = nr[m->op];
	r->rdi = m->addr;
	r->rsi = m->op == INKTAG_MM_REMAP ? m->offset : m->len;
	r->rdx = m->op == INKTAG_MM_REMAP ? m->len : m->prot;
	r->r10 = m->flags;
	r->r8 = m->op == INKTAG_MM_REMAP ? m->prot : (uint64_t)m->fd;
	r->r9 = m->offset;
	set_regs(r);
}

static bool lying(void)
{
	return hap.running && hap.calls > opt.after && (hap.lied = true);
}

static void mm_leave(struct user_regs_struct *r)
{
	struct inktag_mm *m = &hap.mm;
	uint64_t result = r->rax, end = m->addr + m->len;
	bool failed = m->op != INKTAG_MM_TAG && (int64_t)result < 0 && (int64_t)result >= -4095;
	struct user_regs_struct back = hap.mm_regs;
	struct vma *v, was;
	uint64_t at;

	hap.in_mm = false;
	back.rax = failed ? result : 0;
	if (!failed) {
		switch (m->op) {
		case INKTAG_MM_MAP:
			m->addr = result;
			vma_set(m->addr, m->addr + m->len, m->token, m->prot);
			break;
		case INKTAG_MM_UNMAP:
			vma_clear(m->addr, end);
			break;
		case INKTAG_MM_PROTECT:
		case INKTAG_MM_TAG:
			for (at = m->addr; (v = vma_in(at, end)); at = was.end) {
				was = *v;
				if (was.start < m->addr)
					was.start = m->addr;
				if (was.end > end)
					was.end = end;
				vma_set(was.start, was.end, m->token == INKTAG_TOKEN_NONE ? was.token : m->token,
					m->op == INKTAG_MM_TAG ? was.prot : m->prot);
			}
			break;
		case INKTAG_MM_REMAP:
			was = *vma_in(m->addr, m->addr + 1);
			vma_clear(m->addr, m->addr + m->offset);
			m->addr = result;
			vma_set(m->addr, m->addr + m->len, m->token, was.prot);
			break;
		}
		m->prev = vma_prev(m->addr);
		if ((opt.has_addr || opt.has_prev) && (m->op == INKTAG_MM_MAP || m->op == INKTAG_MM_REMAP) && lying()) {
			if (opt.has_addr)
				m->addr = opt.mm_addr;
			if (opt.has_prev)
				m->prev = opt.mm_prev;
		}
		poke(hap.mm_regs.rsi, m, sizeof(*m));
		/* The stub became executable. */
		if (m->op == INKTAG_MM_PROTECT && m->prot & PROT_EXEC && !hap.running)
			patch_code();
	}
	set_regs(&back);
}

static void on_syscall(void)
{
	struct user_regs_struct r;

	get_regs(&r);
	hap.in_call = !hap.in_call;
	if (!hap.in_call) {
		if (hap.in_mm)
			mm_leave(&r);
		if (hap.in_attach) {
			hap.in_attach = false;
			r.rax = HAP_ID;
			set_regs(&r);
		}
		return;
	}
	if (hap.trusted)
		fail("system call %ld in the trusted context, at 0x%lx", (long)r.orig_rax, (long)r.rip);
	if (r.orig_rax != SYS_arch_prctl)
		return;
	if (r.rdi == ARCH_INKTAG_ATTACH) {
		hap.attached = hap.in_attach = true;
		hap.attributes = r.rsi;
		r.orig_rax = -1;
		set_regs(&r);
	} else if (r.rdi == ARCH_INKTAG_MM && hap.attached) {
		mm_enter(&r);
	}
}

/* --- the store of protected files ------------------------------------------------------------- */

#define FILES	1024

static struct {
	const char *path;	/* NULL: there is none */
	struct stored {
		struct file {
			uint64_t oid[2], length, names;
		} file[FILES];
		struct {
			char path[512];
			uint32_t file;	/* 0: free */
		} name[FILES];
	} stored;
	uint64_t serial[FILES];	/* under which the program has it; not stored */
	uint64_t syncs;
} store;

static void store_load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CREAT, 0600);

	store.path = path;
	if (fd < 0 || read(fd, &store.stored, sizeof(store.stored)) < 0)
		fail("%s: %s", path, strerror(errno));
	close(fd);
}

static void store_save(void)
{
	int fd = store.path ? open(store.path, O_WRONLY | O_CREAT, 0600) : -1;

	if (store.path && (fd < 0 || write(fd, &store.stored, sizeof(store.stored)) != sizeof(store.stored)))
		fail("%s: %s", store.path, strerror(errno));
	close(fd);
}

static int name_of(const char *path)
{
	int i;

	for (i = 0; i < FILES; i++)
		if (store.stored.name[i].file && !strcmp(store.stored.name[i].path, path))
			return i;
	return -1;
}

static void name_bind(const char *path, uint32_t file)
{
	int i;

	for (i = 0; store.stored.name[i].file; i++)
		if (i + 1 == FILES)
			fail("too many names");
	snprintf(store.stored.name[i].path, sizeof(store.stored.name[i].path), "%s", path);
	store.stored.name[i].file = file;
	store.stored.file[file].names++;
}

static void name_unbind(int i)
{
	store.stored.file[store.stored.name[i].file].names--;
	store.stored.name[i].file = 0;
}

static long file_name(struct user_regs_struct *r)
{
	char paths[INKTAG_NAME_MAX + 1];
	const char *other;
	uint32_t file, shown;
	int i, k;

	if (!r->rdx || r->rdx > INKTAG_NAME_MAX || !is_protected(r->rcx))
		fail("HC_FILE_NAME of 0x%lx, %ld bytes", (long)r->rcx, (long)r->rdx);
	peek(r->rcx, paths, r->rdx);
	paths[r->rdx] = 0;
	other = paths + strlen(paths) + 1;
	i = name_of(paths);
	k = other < paths + r->rdx ? name_of(other) : -1;
	shown = file = i < 0 ? 0 : store.stored.name[i].file;
	if (r->rbx == INKTAG_NAME_CREATE) {
		if (i >= 0)
			return -INKTAG_EEXIST;
		for (file = 1; store.stored.file[file].oid[0]; file++)
			if (file + 1 == FILES)
				fail("too many files");
		if (getrandom(store.stored.file[file].oid, 16, 0) != 16)
			fail("getrandom: %s", strerror(errno));
		name_bind(paths, shown = file);
	} else if (i < 0) {
		return -INKTAG_ENOENT;
	} else if (r->rbx == INKTAG_NAME_LINK) {
		if (k >= 0)
			return -INKTAG_EEXIST;
		name_bind(other, file);
	} else if (r->rbx == INKTAG_NAME_RENAME) {
		shown = k < 0 || store.stored.name[k].file == file ? 0 : store.stored.name[k].file;
		if (shown)
			name_unbind(k);
		if (k < 0 || shown)
			snprintf(store.stored.name[i].path, sizeof(store.stored.name[i].path), "%s", other);
	} else if (r->rbx == INKTAG_NAME_UNLINK) {
		name_unbind(i);
	}
	r->rbx = store.stored.file[shown].oid[0];
	r->rcx = store.stored.file[shown].oid[1];
	r->rdx = store.stored.file[shown].length;
	r->rsi = store.stored.file[shown].names;
	if (shown && !store.stored.file[shown].names && !store.serial[shown])
		store.stored.file[shown].oid[0] = 0;
	return 0;
}

static int file_of(uint64_t serial)
{
	int i;

	for (i = 1; i < FILES && (store.serial[i] != serial || !serial); i++)
		;
	return i < FILES ? i : 0;
}

static long file_open(const struct user_regs_struct *r)
{
	int i;

	if (!r->rbx || r->rbx >= INKTAG_SERIAL_END || file_of(r->rbx))
		fail("HC_FILE_OPEN under serial %ld", (long)r->rbx);
	for (i = 1; i < FILES; i++) {
		if (store.stored.file[i].oid[0] != r->rcx || store.stored.file[i].oid[1] != r->rdx)
			continue;
		if (store.serial[i])
			fail("HC_FILE_OPEN of a file that the program has");
		store.serial[i] = r->rbx;
		return 0;
	}
	return -INKTAG_ENOENT;
}

/* Pages that are not below both lengths read zero: those of the backing file, which the program has open. */
static void file_cut(const struct file *f, uint64_t length)
{
	uint64_t from = ((f->length < length ? f->length : length) + PAGE - 1) & ~(PAGE - 1);
	const unsigned char *b = (const void *)f->oid;
	char dir[64], path[400], to[512], hex[33];
	struct dirent *e;
	struct stat st;
	ssize_t n;
	int i, fd;
	DIR *d;

	for (i = 0; i < 16; i++)
		sprintf(hex + 2 * i, "%02x", b[i]);
	snprintf(dir, sizeof(dir), "/proc/%d/fd", hap.pid);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		to[n < 0 ? 0 : n] = 0;
		if (!strstr(to, hex))
			continue;
		fd = open(path, O_RDWR);
		if (fd < 0 || fstat(fd, &st) || ((uint64_t)st.st_size > from &&
		    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, st.st_size - from)))
			fail("%s: %s", to, strerror(errno));
		close(fd);
		break;
	}
	closedir(d);
}

static long file_length(const struct user_regs_struct *r)
{
	struct file *f = &store.stored.file[file_of(r->rbx)];

	if (f == store.stored.file)
		fail("HC_FILE_LENGTH of serial %ld", (long)r->rbx);
	if (r->rcx == INKTAG_LENGTH_SET)
		file_cut(f, r->rdx);
	if (r->rcx == INKTAG_LENGTH_SET || (r->rcx == INKTAG_LENGTH_REACH && f->length < r->rdx))
		f->length = r->rdx;
	return r->rcx == INKTAG_LENGTH_NAMES ? f->names : f->length;
}

static long file_sync(const struct user_regs_struct *r)
{
	if (!file_of(r->rbx) || (r->rcx && r->rdx && r->rdx != store.syncs))
		fail("HC_FILE_SYNC of serial %ld", (long)r->rbx);
	return r->rcx == INKTAG_SYNC_SETTLE ? 0 : (long)++store.syncs;
}

static void file_leave(uint64_t serial)
{
	int i = file_of(serial);

	if (i && !store.stored.file[i].names)
		store.stored.file[i].oid[0] = 0;
	if (i)
		store.serial[i] = 0;
}

/* --- the hypervisor --------------------------------------------------------------------------- */

static long hap_add(uint64_t addr, uint64_t n, uint64_t token)
{
	unsigned char page[PAGE];
	struct inktag_desc d;
	uint64_t i, head[2];
	struct vma *v;

	if (addr % PAGE || !n || n > INKTAG_ADD_MAX)
		return -INKTAG_EINVAL;
	for (i = 0; i < n; i++, addr += PAGE) {
		v = vma_in(addr, addr + PAGE);
		if (!v || v->token != token || !(v->prot & PROT_WRITE))
			return -INKTAG_EFAULT;
		peek(INKTAG_DESC_BASE + token * sizeof(d), &d, sizeof(d));
		if (addr < d.addr || addr >= d.addr + d.npages * PAGE)
			return -INKTAG_EINVAL;
		head[0] = addr;
		head[1] = token;
		peek(addr, page, PAGE);
		EVP_DigestUpdate(hap.sha, head, sizeof(head));
		EVP_DigestUpdate(hap.sha, page, PAGE);
	}
	return 0;
}

static void hap_start(struct user_regs_struct *r)
{
	unsigned char sum[32];
	uint64_t measured[3];
	unsigned int n, i;

	peek(r->rcx, &hap.start, sizeof(hap.start));
	measured[0] = hap.start.entry;
	measured[1] = hap.start.rsp;
	measured[2] = hap.attributes;
	EVP_DigestUpdate(hap.sha, measured, sizeof(measured));
	EVP_DigestFinal_ex(hap.sha, sum, &n);
	if (opt.measure) {
		for (i = 0; i < n; i++)
			printf("%02x", sum[i]);
		printf("\n");
		fflush(stdout);
	}
	patch_code();
	memset(r, 0, 15 * 8);		/* r15 ... orig_rax, the general registers */
	r->rip = hap.start.entry;
	r->rsp = hap.start.rsp;
	r->rbp = r->rbx = r->r12 = r->r13 = r->r14 = r->r15 = 0;
	r->rsi = 0;
	r->rdi = hap.start.info;
	r->rax = INKTAG_START_MAGIC;
	r->orig_rax = -1;
	r->fs_base = r->gs_base = 0;
	hap.running = hap.trusted = true;
	set_regs(r);
}

/* Out of the trusted context: all that the kernel sees is what design.md allows. */
static void leave(const struct user_regs_struct *from, long nr, const uint64_t args[6])
{
	struct user_regs_struct r = *from;

	hap.saved = *from;
	hap.trusted = false;
	memset(&r, 0, 15 * 8);
	r.rsi = args[1];
	r.rdi = args[0];
	r.rdx = args[2];
	r.r10 = args[3];
	r.r8 = args[4];
	r.r9 = args[5];
	r.rax = nr;
	r.orig_rax = -1;
	r.rbx = HANDLE;
	r.r12 = INKTAG_RESUME_MAGIC;
	r.rip = hap.start.stub;
	r.rsp = hap.start.ustack;
	r.fs_base = r.gs_base = 0;
	set_regs(&r);
}

/* The shim has changed descriptors, and is about to ask the kernel to follow. */
static bool is_halfway(const uint64_t args[6])
{
	struct inktag_mm m;

	if (hap.nr != SYS_arch_prctl || args[0] != ARCH_INKTAG_MM)
		return false;
	peek(args[1], &m, sizeof(m));
	return m.op == INKTAG_MM_UNMAP || m.op == INKTAG_MM_PROTECT;
}

static void hap_syscall(struct user_regs_struct *r)
{
	uint64_t args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	int i;

	hap.nr = r->rbx;
	hap.first[0] = args[0];
	hap.first[1] = args[1];
	hap.calls++;
	if (opt.withhold && hap.nr == SYS_write && args[0] == STDERR_FILENO) {
		kill(hap.pid, SIGKILL);
		return;
	}
	if (!is_halfway(args))
		check_descriptors();
	if (hap.nr != SYS_arch_prctl && hap.nr != SYS_madvise && hap.nr != SYS_mincore) {
		for (i = 0; i < 6; i++)
			/* Flags of open, which can look like an address of the program. */
			if (is_protected(args[i]) && !((hap.nr == SYS_open && i == 1) || (hap.nr == SYS_openat && i == 2)))
				fail("argument %d of system call %ld, 0x%lx, is an address in protected memory", i, hap.nr,
				     args[i]);
	}
	leave(r, hap.nr, args);
}

static void resume(const struct user_regs_struct *now)
{
	struct user_regs_struct r = hap.saved;

	if (now->rbx != HANDLE)
		fail("resume of thread 0x%lx", (long)now->rbx);
	r.rax = now->rax;
	if (opt.has_result && opt.result_nr == hap.nr && lying())
		r.rax = opt.result;
	if (opt.has_scribble && opt.scribble_nr == hap.nr && lying())
		poke(hap.first[opt.scribble_offset >> 8 ? 0 : 1] + (opt.scribble_offset & 0xff), opt.scribble,
		     opt.scribble_len);
	hap.trusted = true;
	set_regs(&r);
}

static void zero(uint64_t addr, uint64_t npages)
{
	static const unsigned char page[PAGE];

	for (; npages; npages--, addr += PAGE)
		if (vma_in(addr, addr + PAGE))
			poke(addr, page, PAGE);
}

static void trusted_hypercall(struct user_regs_struct *r)
{
	static const char *const checks[] = { "none", "tag", "frame", "descriptor", "lineage", "mmap", "syscall", "state" };
	uint64_t exit_args[6] = { r->rbx };
	struct timespec ts;
	uint64_t random[4];

	r->rip += 3;
	switch (r->rax) {
	case INKTAG_HC_SYSCALL:
		hap_syscall(r);
		return;
	case INKTAG_HC_UNMAP:
		if (r->rbx % PAGE || !r->rcx || r->rcx > INKTAG_UNMAP_MAX)
			fail("HC_UNMAP of 0x%lx, %lu pages", (long)r->rbx, (long)r->rcx);
		if (r->rdx)
			zero(r->rbx, r->rcx);
		r->rax = 0;
		break;
	case INKTAG_HC_EXIT:
		check_descriptors();
		leave(r, SYS_exit_group, exit_args);
		return;
	case INKTAG_HC_SET_BASE:
		*(r->rcx ? &r->gs_base : &r->fs_base) = r->rbx;
		r->rax = 0;
		break;
	case INKTAG_HC_SIGNAL_ENTRY:
		r->rax = 0;
		break;
	case INKTAG_HC_SHARE:
		if (r->rcx)
			file_leave(r->rbx);
		r->rax = 0;
		break;
	case INKTAG_HC_FILE_NAME:
		r->rax = store.path ? file_name(r) : -INKTAG_EOPNOTSUPP;
		break;
	case INKTAG_HC_FILE_OPEN:
		r->rax = file_open(r);
		break;
	case INKTAG_HC_FILE_LENGTH:
		r->rax = file_length(r);
		break;
	case INKTAG_HC_FILE_SYNC:
		r->rax = file_sync(r);
		break;
	case INKTAG_HC_CLONE:
		r->rax = -INKTAG_ENOSPC;
		break;
	case INKTAG_HC_RANDOM:
		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			fail("getrandom: %s", strerror(errno));
		r->rbx = random[0];
		r->rcx = random[1];
		r->rdx = random[2];
		r->rsi = random[3];
		r->rax = 0;
		break;
	case INKTAG_HC_CLOCK:
		clock_gettime(CLOCK_REALTIME, &ts);
		r->rbx = ts.tv_sec * 1000000000UL + ts.tv_nsec;
		clock_gettime(CLOCK_BOOTTIME, &ts);
		r->rcx = ts.tv_sec * 1000000000UL + ts.tv_nsec;
		r->rax = 0;
		break;
	case INKTAG_HC_ENDED:
		r->rax = r->rbx != 1;
		break;
	case INKTAG_HC_DESCRIPTORS:
		r->rax = opt.descriptors;
		break;
	case INKTAG_HC_VIOLATION:
		if (hap.accused) {
			kill(hap.pid, SIGKILL);
			return;
		}
		fprintf(stderr, "hosthv: violation: check %s, address 0x%lx, argument %ld\n",
			r->rbx < INKTAG_CHECK_COUNT ? checks[r->rbx] : "?", (long)r->rcx, (long)r->rdx);
		hap.accused = true;
		r->rax = 0;
		break;
	default:
		fail("hypercall 0x%lx in the trusted context", (long)r->rax);
	}
	r->orig_rax = -1;
	set_regs(r);
}

static void untrusted_hypercall(struct user_regs_struct *r)
{
	if (r->r12 == INKTAG_RESUME_MAGIC) {
		resume(r);
		return;
	}
	r->rip += 3;
	switch (r->rax) {
	case INKTAG_HC_HAP_ADD:
		r->rax = r->rbx == HAP_ID && !hap.running ? hap_add(r->rcx, r->rdx, r->rsi) : -INKTAG_EBUSY;
		break;
	case INKTAG_HC_HAP_START:
		hap_start(r);
		return;
	default:
		r->rax = -INKTAG_EPERM;
	}
	r->orig_rax = -1;
	set_regs(r);
}

/* A signal: one of our traps, or the program's own. Returns the signal to deliver. */
static int on_signal(int sig)
{
	struct user_regs_struct r;
	unsigned char code[3];

	get_regs(&r);
	if (sig != SIGILL || pread(hap.mem, code, 3, r.rip) != 3 || memcmp(code, trap, 3)) {
		if (hap.trusted && (sig == SIGSEGV || sig == SIGILL || sig == SIGBUS))
			fprintf(stderr, "hosthv: signal %d in the trusted context, at 0x%lx\n", sig, (long)r.rip);
		return sig;
	}
	if (hap.trusted)
		trusted_hypercall(&r);
	else
		untrusted_hypercall(&r);
	return 0;
}

static int watch(void)
{
	bool first = true;
	int status;

	for (;;) {
		if (waitpid(hap.pid, &status, 0) != hap.pid)
			fail("waitpid: %s", strerror(errno));
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (WIFSIGNALED(status))
			return 128 + WTERMSIG(status);
		if (first) {
			/* It has just executed the program. */
			char path[64];

			first = false;
			ptrace(PTRACE_SETOPTIONS, hap.pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
			snprintf(path, sizeof(path), "/proc/%d/mem", hap.pid);
			hap.mem = open(path, O_RDWR | O_CLOEXEC);
			if (hap.mem < 0)
				fail("%s: %s", path, strerror(errno));
			patch_code();
			go(0);
		} else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			on_syscall();
			go(0);
		} else {
			go(on_signal(WSTOPSIG(status)));
		}
	}
}

static void parse_lie(char *lie)
{
	char *value = strchr(lie, '='), *end;

	if (!value)
		fail("what kind of lie is %s?", lie);
	*value++ = 0;
	if (!strcmp(lie, "result")) {
		opt.has_result = true;
		opt.result_nr = strtol(value, &end, 0);
		opt.result = strtoul(end + 1, NULL, 0);
	} else if (!strcmp(lie, "after")) {
		opt.after = strtoul(value, NULL, 0);
	} else if (!strcmp(lie, "mm-addr")) {
		opt.has_addr = true;
		opt.mm_addr = strtoul(value, NULL, 0);
	} else if (!strcmp(lie, "mm-prev")) {
		opt.has_prev = true;
		opt.mm_prev = strtoul(value, NULL, 0);
	} else if (!strcmp(lie, "withhold")) {
		opt.withhold = true;
	} else if (!strcmp(lie, "scribble")) {
		opt.has_scribble = true;
		opt.scribble_nr = strtol(value, &end, 0);
		opt.scribble_offset = strtoul(end + 1, &end, 0);
		for (end++; end[0] && end[1] && opt.scribble_len < sizeof(opt.scribble); end += 2)
			if (sscanf(end, "%2hhx", &opt.scribble[opt.scribble_len++]) != 1)
				fail("bad bytes");
	} else {
		fail("what kind of lie is %s?", lie);
	}
}

int main(int argc, char **argv)
{
	int c;

	opt.descriptors = INKTAG_DESC_MAX;
	hap.sha = EVP_MD_CTX_new();
	EVP_DigestInit_ex(hap.sha, EVP_sha256(), NULL);
	while ((c = getopt(argc, argv, "+ml:d:s:")) != -1) {
		if (c == 'm')
			opt.measure = true;
		else if (c == 'd')
			opt.descriptors = strtoul(optarg, NULL, 0);
		else if (c == 's')
			store_load(optarg);
		else if (c == 'l')
			parse_lie(optarg);
		else
			return 99;
	}
	if (optind >= argc)
		fail("which program?");
	hap.pid = fork();
	if (!hap.pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(argv[optind], argv + optind);
		fprintf(stderr, "hosthv: %s: %s\n", argv[optind], strerror(errno));
		_exit(127);
	}
	c = watch();
	store_save();
	return c;
}
