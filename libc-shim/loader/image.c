// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image.c - the ELF file: read once into memory, then checked there. Accepted is only what
 * inktag-cc makes: static, at fixed addresses, no segment both writable and executable,
 * no two on one page, with the note.
 */
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "loader.h"

#define LOWEST	0x10000UL

/* The size that the file says is where to begin: it may grow, and some have none. */
static void read_whole(int fd, struct image *im)
{
	struct stat st;
	u64 room, done = 0;
	u8 *file, *bigger;
	long r;

	r = sys_call(__NR_fstat, fd, (u64)&st, 0, 0, 0, 0);
	room = r < 0 || st.st_size < 0 ? 0 : st.st_size;
	room = PAGE_UP((room < IMAGE_SIZE_MAX ? room : IMAGE_SIZE_MAX - 1) + 1);
	file = pages(room);
	for (;;) {
		r = sys_call(__NR_read, fd, (u64)file + done, room - done, 0, 0, 0);
		if (r < 0)
			die(EXIT_CANNOT, "cannot read %s: %s", im->path, error_name(r));
		if (!r)
			break;
		done += r;
		if (done < room)
			continue;
		if (room >= IMAGE_SIZE_MAX)
			die(EXIT_CANNOT, "%s: larger than %ld bytes", im->path, IMAGE_SIZE_MAX);
		bigger = pages(room * 4);
		memcpy(bigger, file, done);
		sys_call(__NR_munmap, (u64)file, room, 0, 0, 0, 0);
		file = bigger;
		room *= 4;
	}
	im->file = file;
	im->size = done;
	im->room = room;
}

static _Noreturn void malformed(const struct image *im, const char *why)
{
	die(EXIT_CANNOT, "%s: malformed ELF file: %s", im->path, why);
}

/* Is [offset, offset + len) in the file? */
static bool in_file(const struct image *im, u64 offset, u64 len)
{
	return offset <= im->size && len <= im->size - offset;
}

static bool has_note(struct image *im, const Elf64_Phdr *ph)
{
	const u8 *p = im->file + ph->p_offset;
	u64 left = ph->p_filesz, name, desc;
	Elf64_Nhdr n;
	u32 version;

	while (left >= sizeof(n)) {
		memcpy(&n, p, sizeof(n));
		p += sizeof(n);
		left -= sizeof(n);
		name = ((u64)n.n_namesz + 3) & ~3UL;
		desc = ((u64)n.n_descsz + 3) & ~3UL;
		if (name > left || desc > left - name)
			return false;
		if (n.n_namesz == sizeof(LAUNCH_NOTE_NAME) && n.n_type == LAUNCH_NOTE_TYPE &&
		    !memcmp(p, LAUNCH_NOTE_NAME, sizeof(LAUNCH_NOTE_NAME)) && n.n_descsz >= sizeof(version)) {
			memcpy(&version, p + name, sizeof(version));
			if (version != INKTAG_ABI_VERSION)
				die(EXIT_CANNOT, "%s was built for version %ld of the InkTag ABI, this loader is for version %ld: build it again",
				    im->path, (long)version, (long)INKTAG_ABI_VERSION);
			if (n.n_descsz != LAUNCH_NOTE_SIZE)
				return false;
			memcpy(&im->attributes, p + name + sizeof(version), sizeof(im->attributes));
			return true;
		}
		p += name + desc;
		left -= name + desc;
	}
	return false;
}

static void add_segment(struct image *im, const Elf64_Phdr *ph)
{
	struct segment *s = &im->segment[im->segments], *last = im->segments ? s - 1 : NULL;

	if (im->segments == IMAGE_SEGMENTS_MAX)
		malformed(im, "too many segments");
	if (!ph->p_memsz || ph->p_filesz > ph->p_memsz)
		malformed(im, "a segment's sizes");
	if (!in_file(im, ph->p_offset, ph->p_filesz))
		malformed(im, "a segment ends after the file does; the file is truncated");
	if (ph->p_vaddr < LOWEST || ph->p_vaddr >= INKTAG_DESC_BASE || ph->p_memsz > INKTAG_DESC_BASE - ph->p_vaddr)
		malformed(im, "a segment's address");
	if (ph->p_vaddr % PAGE != ph->p_offset % PAGE)
		malformed(im, "a segment's alignment");
	if (ph->p_flags & ~(u32)(PF_R | PF_W | PF_X) || !ph->p_flags)
		malformed(im, "a segment's flags");
	if (ph->p_flags & PF_W && ph->p_flags & PF_X)
		malformed(im, "a segment is both writable and executable");
	s->start = PAGE_DOWN(ph->p_vaddr);
	s->end = PAGE_UP(ph->p_vaddr + ph->p_memsz);
	s->vaddr = ph->p_vaddr;
	s->filesz = ph->p_filesz;
	s->offset = ph->p_offset;
	s->prot = (ph->p_flags & PF_R ? INKTAG_PROT_READ : 0) | (ph->p_flags & PF_W ? INKTAG_PROT_WRITE : 0) |
		  (ph->p_flags & PF_X ? INKTAG_PROT_EXEC : 0);
	if (last && s->start < last->end)
		malformed(im, "segments overlap or are not in order");
	im->segments++;
}

/* The segment whose part from the file contains [addr, addr + len). */
static const struct segment *containing(const struct image *im, u64 addr, u64 len)
{
	u32 i;

	for (i = 0; i < im->segments; i++) {
		const struct segment *s = &im->segment[i];

		if (addr >= s->vaddr && addr - s->vaddr <= s->filesz && len <= s->filesz - (addr - s->vaddr))
			return s;
	}
	return NULL;
}

static void check(struct image *im)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	const struct segment *s;
	bool noted = false, dynamic = false;
	u32 i;

	if (im->size < sizeof(eh) || memcmp(im->file, ELFMAG, SELFMAG))
		die(EXIT_CANNOT, "%s: not an ELF program", im->path);
	memcpy(&eh, im->file, sizeof(eh));
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
		die(EXIT_CANNOT, "%s: not a program for x86-64", im->path);
	if (eh.e_ident[EI_VERSION] != EV_CURRENT || eh.e_version != EV_CURRENT || eh.e_phentsize != sizeof(ph))
		malformed(im, "the header");
	if (!eh.e_phnum || eh.e_phoff % 8 || !in_file(im, eh.e_phoff, (u64)eh.e_phnum * sizeof(ph)))
		malformed(im, "the program headers; the file may be truncated");
	for (i = 0; i < eh.e_phnum; i++) {
		memcpy(&ph, im->file + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		dynamic |= ph.p_type == PT_DYNAMIC;
		if (ph.p_type == PT_NOTE && in_file(im, ph.p_offset, ph.p_filesz))
			noted |= has_note(im, &ph);
	}
	if (!noted)
		die(EXIT_CANNOT, "%s: not an InkTag program: it has no InkTag note; compile it with inktag-cc", im->path);
	if (eh.e_type != ET_EXEC || dynamic)
		malformed(im, "it is not static at fixed addresses");
	for (i = 0; i < eh.e_phnum; i++) {
		memcpy(&ph, im->file + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_LOAD)
			add_segment(im, &ph);
		else if (ph.p_type == PT_GNU_STACK && ph.p_flags & PF_X)
			malformed(im, "it asks for an executable stack");
	}
	if (!im->segments)
		malformed(im, "there is nothing to load");
	s = containing(im, eh.e_entry, 1);
	if (!s || !(s->prot & INKTAG_PROT_EXEC))
		malformed(im, "the entry is not in executable memory");
	/* The program reads its own headers, to compare them with what it finds itself in. */
	s = &im->segment[0];
	if (s->offset || s->vaddr % PAGE || eh.e_phoff + (u64)eh.e_phnum * sizeof(ph) > s->filesz ||
	    !(s->prot & INKTAG_PROT_READ))
		malformed(im, "the program headers are not in the first segment");
	im->entry = eh.e_entry;
	im->phdr = s->vaddr + eh.e_phoff;
	im->phnum = eh.e_phnum;
}

void image_take_breakpoints(struct image *im)
{
	const struct segment *s;

	for (s = im->segment; im->attributes & INKTAG_ATTR_DEBUG && s < im->segment + im->segments; s++)
		if (s->prot & INKTAG_PROT_EXEC)
			memcpy(im->file + s->offset, (const void *)s->vaddr, s->filesz);
}

void image_read(struct image *im, const char *path, const char *name)
{
	long fd = sys_call(__NR_open, (u64)path, O_RDONLY | O_CLOEXEC, 0, 0, 0, 0);

	im->path = name;
	if (fd < 0)
		die(fd == -ENOENT || fd == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT, "cannot open %s: %s", name,
		    error_name(fd));
	read_whole(fd, im);
	sys_call(__NR_close, fd, 0, 0, 0, 0, 0);
	check(im);
}
