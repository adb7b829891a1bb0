// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * start.c - the first code of a protected program: is everything as the loader's contract
 * says, and where are the arguments?
 *
 * The descriptors are measured, so a loader that sets up another layout yields another
 * measurement; but a program must not depend on somebody comparing it. Exactly the array, the
 * arena, the stack and the image's own segments must be there.
 */
#include <linux/elf.h>
#include <linux/auxvec.h>
#include "desc.h"
#include "launch.h"
#include "thread.h"

_Static_assert(START_MAGIC == INKTAG_START_MAGIC, "start.h: magic");
_Static_assert(START_LAUNCH_MAX >= LAUNCH_STRINGS_MAX + (LAUNCH_COUNT_MAX + 64) * 8, "room for the arguments");
_Static_assert(START_LAUNCH_MAX <= INKTAG_STACK_MAX / 4, "room for a stack");
_Static_assert(sizeof(struct inktag_desc) * LAUNCH_DESC_MAX == INKTAG_PAGE_SIZE, "the first page of the array");

/* Its address is INKTAG_ATTR_*: inktag-cc --debuggable defines it. */
extern const u8 __inktag_attributes[] __attribute__((weak));

static const struct {
	u32 namesz, descsz, type;
	char name[8];
	u32 version;
	const void *attributes;
} note __attribute__((section(".note.inktag"), aligned(4), used)) = {
	sizeof(LAUNCH_NOTE_NAME), LAUNCH_NOTE_SIZE, LAUNCH_NOTE_TYPE, LAUNCH_NOTE_NAME, INKTAG_ABI_VERSION,
	__inktag_attributes,
};

_Static_assert(sizeof(note) == 12 + sizeof(note.name) + LAUNCH_NOTE_SIZE, "note");

struct desc_list mm_list;

/* Of this program, at the start of its first segment; the linker provides it. */
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));

static _Noreturn void bad_start(const char *why, u64 addr, u64 arg)
{
	shim_violation(INKTAG_CHECK_STATE, addr, arg,
		       "this program was not started as it must be: %s (address 0x%lx, %ld)", why, addr, (long)arg);
}

static void expect(u32 token, u64 addr, u64 end, u32 prot, u16 kind)
{
	const struct inktag_desc *d = &mm_list.d[token];

	if (token >= mm_list.fresh)
		bad_start("a mapping is missing", addr, token);
	if (d->addr != addr || desc_end(d) != end || d->prot != prot || d->kind != kind || d->index ||
	    d->oid[0] != (kind == INKTAG_KIND_PRIVATE ? token : 0))
		bad_start("a mapping is not as it must be", d->addr, token);
}

static void check_descriptors(void)
{
	const Elf64_Phdr *ph = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
	struct inktag_desc *array = (void *)INKTAG_DESC_BASE;
	u32 count = LAUNCH_TOKEN_SEGMENTS, prot;
	u64 size = INKTAG_DESC_MAX * sizeof(*array);
	long max = hc_descriptors();
	int i;

	for (i = 0; i < __ehdr_start.e_phnum; i++)
		count += ph[i].p_type == PT_LOAD;
	if (max < count || max > INKTAG_DESC_MAX)
		bad_start("this VM allows too few mappings", INKTAG_DESC_BASE, max);
	if (count > LAUNCH_DESC_MAX || !desc_adopt(&mm_list, array, max, count))
		bad_start("the descriptor array is not a list of mappings", INKTAG_DESC_BASE, count);

	expect(LAUNCH_TOKEN_ARRAY, INKTAG_DESC_BASE, INKTAG_DESC_BASE + size, INKTAG_PROT_READ | INKTAG_PROT_WRITE,
	       INKTAG_KIND_PRIVATE);
	expect(LAUNCH_TOKEN_ARENA, INKTAG_ARENA_BASE, INKTAG_ARENA_BASE + INKTAG_ARENA_SIZE,
	       INKTAG_PROT_READ | INKTAG_PROT_WRITE, INKTAG_KIND_UNCLOAKED);
	expect(LAUNCH_TOKEN_STACK, INKTAG_STACK_TOP - INKTAG_STACK_MAX, INKTAG_STACK_TOP,
	       INKTAG_PROT_READ | INKTAG_PROT_WRITE, INKTAG_KIND_PRIVATE);
	count = LAUNCH_TOKEN_SEGMENTS;
	for (i = 0; i < __ehdr_start.e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		prot = (ph[i].p_flags & PF_R ? INKTAG_PROT_READ : 0) | (ph[i].p_flags & PF_W ? INKTAG_PROT_WRITE : 0) |
		       (ph[i].p_flags & PF_X ? INKTAG_PROT_EXEC : 0);
		expect(count++, PAGE_DOWN(ph[i].p_vaddr), PAGE_UP(ph[i].p_vaddr + ph[i].p_memsz), prot,
		       INKTAG_KIND_PRIVATE);
	}
	/* The rest of the array must be as if never written: desc_take() relies on it. */
	for (; count < LAUNCH_DESC_MAX; count++)
		if (array[count].kind != INKTAG_KIND_NONE || array[count].next || array[count].addr)
			bad_start("there is a mapping too many", array[count].addr, count);
}

/* Sets vec[0..n) to the n strings that begin at s, and returns what follows; NULL if there are not that many. */
static char *split(char **vec, u32 n, char *s, const char *end)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (s >= end)
			return NULL;
		vec[i] = s;
		s += shim_strnlen(s, end - s) + 1;
	}
	vec[n] = NULL;
	return s;
}

/*
 * Called with the top of the stack free for START_LAUNCH_MAX bytes. Returns the stack pointer
 * with which _start is entered, as the ABI of x86-64 has it: argc, argv, envp, auxv.
 */
u64 shim_start(u64 from, u64 top)
{
	struct launch_info info;
	u64 *sp, random[4], auxc;
	char *strings, *s, *end;

	thread_init();
	if (top != INKTAG_STACK_TOP)
		bad_start("the stack pointer is not at the stack's top", top, 0);
	check_descriptors();

	/* One copy, then only the copy counts. The string's end is in protected memory too. */
	if (from != ARENA_BUF)
		bad_start("the arguments are not in their place", from, 0);
	memcpy(&info, (void *)from, sizeof(info));
	if (!info.argc || info.argc > LAUNCH_COUNT_MAX || info.envc > LAUNCH_COUNT_MAX - info.argc || !info.strings ||
	    info.strings > LAUNCH_STRINGS_MAX)
		bad_start("there are too many arguments", from, info.strings);
	strings = (char *)((top - info.strings) & ~15UL);
	memcpy(strings, (void *)(from + sizeof(info)), info.strings);
	end = strings + info.strings;
	if (end[-1])
		bad_start("the arguments do not end", from, info.strings);
	thread_first();
	if (hc_random(random) < 0)
		bad_start("there are no random numbers", 0, 0);

	struct {
		u64 type, value;
	} auxv[] = {
		{ AT_PHDR, (u64)&__ehdr_start + __ehdr_start.e_phoff },
		{ AT_PHENT, sizeof(Elf64_Phdr) },
		{ AT_PHNUM, __ehdr_start.e_phnum },
		{ AT_PAGESZ, INKTAG_PAGE_SIZE },
		{ AT_ENTRY, __ehdr_start.e_entry },
		{ AT_CLKTCK, 100 },
		{ AT_UID, info.uid },
		{ AT_EUID, info.euid },
		{ AT_GID, info.gid },
		{ AT_EGID, info.egid },
		{ AT_SECURE, !!info.secure },
		{ AT_RANDOM, (u64)strings - 16 },
		{ AT_EXECFN, 0 },
		{ AT_NULL, 0 },
	};
	auxc = ARRAY_SIZE(auxv);

	memcpy(strings - 16, random, 16);
	sp = (u64 *)(((u64)strings - 16 - (info.argc + info.envc + 3) * 8UL - sizeof(auxv)) & ~15UL);
	sp[0] = info.argc;
	s = split((char **)&sp[1], info.argc, strings, end);
	if (s)
		s = split((char **)&sp[info.argc + 2], info.envc, s, end);
	/* What remains is the program's path, alone. */
	if (!s || s >= end || s + shim_strnlen(s, end - s) + 1 != end)
		bad_start("the arguments are not as many as announced", from, info.argc);
	auxv[auxc - 2].value = (u64)s;
	memcpy(&sp[info.argc + info.envc + 3], auxv, sizeof(auxv));
	return (u64)sp;
}
