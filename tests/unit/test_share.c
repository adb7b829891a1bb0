// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that several HAPs have after a fork: each transition, made by each of them, in families of two
 * and of three generations; and what all the others read and may do afterwards.
 */
#include "unit.h"

#define ABSENT	0
#define INDEX	105
#define VA	(DATA_VA + 5 * PAGE)
#define GFN	FIRST_GFN
#define FREE	(FIRST_GFN + 1)
#define TAKEN	(FIRST_GFN + 2)	/* holds another page */
#define GONE	(FIRST_GFN + 3)	/* its slot page was taken away */
#define SPARE	(FIRST_GFN + 4)	/* from here on */
#define NAME	77

enum { PARENT, CHILD, GRANDCHILD, NR };

static struct guest *g;
static struct ink_hap *haps[NR];	/* each on the vCPU of its number */
static u64 at[NR];			/* where the kernel says that the page is */
static u32 members;

static struct ink_spage *page(u32 who)
{
	return haps[who] ? SPAGE(haps[who], SER_DATA, INDEX) : NULL;
}

static int state(u32 who)
{
	return page(who) ? page(who)->state : ABSENT;
}

static void setup(void)
{
	g = guest_new(&roomy);
	members = 1;
	haps[PARENT] = hap_launch(g, 0);
	hap_write(g, 0, OTHER_VA, TAKEN, T_OTHER, 1);
	g->absent[GONE - GFN_BASE] = true;
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

/* The page under test in this state, then n - 1 forks, one of the other; each has mapped it if it is plain. */
static void family(int want, u32 n)
{
	u32 i;

	hap_write(g, 0, VA, GFN, T_DATA, NAME);
	if (want != INK_DIRTY)
		k_page(g, GFN);
	if (want == INK_CLEAN)
		hap_reads(g, 0, VA, NAME);
	for (members = 1; members < n; members++)
		haps[members] = hap_fork(g, members - 1, members);
	for (i = 0; i < n; i++) {
		at[i] = GFN;
		if (want == INK_CLOAKED)
			continue;
		k_hint(haps[i], VA, GFN, 7, T_DATA);
		hap_reads(g, i, VA, NAME);
	}
	for (i = 0; i < n; i++) {
		ck_assert_int_eq(state(i), want);
		ck_assert_ptr_eq(page(i), page(0));
		ck_assert_int_eq(!!ink_spage_mapping(page(i), haps[i]), want != INK_CLOAKED);
	}
	ck_assert_uint_eq(page(0)->refs, n);
	guest_check(g);
}

static void reads(u32 who, u64 name)
{
	k_hint(haps[who], VA, at[who], 7, T_DATA);
	hap_reads(g, who, VA, name);
	guest_check(g);
}

static void writes(u32 who, u64 name)
{
	hap_write(g, who, VA, at[who], T_DATA, name);
	guest_check(g);
}

/* The ciphertext in slot page from, which a device carries to frame to. */
static void carry(u64 from, u64 to)
{
	u8 ct[PAGE];

	memcpy(ct, slot_page(g, from), PAGE);
	must(!has_secret(ct, PAGE), "I1: a device finds the plaintext");
	k_write(g, to, ct);
}

/* --- the transitions ------------------------------------------------------------------------- */

enum verb { COPY, COPY_CALL, TAKE, TOUCH, DROP, DROP_ONE, UNMAP, END, READ, WRITE, READ_ELSEWHERE, WRITE_ELSEWHERE };

static const struct {
	int from;
	enum verb verb;
	int result, mine, theirs;
} moves[] = {
	{ INK_DIRTY, COPY, 0, INK_DIRTY, INK_DIRTY },
	{ INK_DIRTY, COPY_CALL, 0, INK_DIRTY, INK_DIRTY },
	{ INK_DIRTY, TAKE, 0, INK_DIRTY, INK_CLOAKED },
	{ INK_DIRTY, TOUCH, 0, INK_CLOAKED, INK_CLOAKED },
	{ INK_DIRTY, DROP, 1, ABSENT, INK_DIRTY },
	{ INK_DIRTY, DROP_ONE, 0, ABSENT, INK_DIRTY },
	{ INK_DIRTY, UNMAP, 1, ABSENT, INK_DIRTY },
	{ INK_DIRTY, END, 0, ABSENT, INK_DIRTY },
	{ INK_DIRTY, READ, INK_MAPPED, INK_DIRTY, INK_DIRTY },
	{ INK_DIRTY, WRITE, INK_MAPPED, INK_DIRTY, INK_CLOAKED },
	{ INK_CLEAN, COPY, 0, INK_DIRTY, INK_CLEAN },
	{ INK_CLEAN, COPY_CALL, 0, INK_DIRTY, INK_CLEAN },
	{ INK_CLEAN, TAKE, 0, INK_DIRTY, INK_CLOAKED },
	{ INK_CLEAN, TOUCH, 0, INK_CLOAKED, INK_CLOAKED },
	{ INK_CLEAN, DROP, 1, ABSENT, INK_CLEAN },
	{ INK_CLEAN, DROP_ONE, 0, ABSENT, INK_CLEAN },
	{ INK_CLEAN, UNMAP, 1, ABSENT, INK_CLEAN },
	{ INK_CLEAN, END, 0, ABSENT, INK_CLEAN },
	{ INK_CLEAN, READ, INK_MAPPED, INK_CLEAN, INK_CLEAN },
	{ INK_CLEAN, WRITE, INK_MAPPED, INK_DIRTY, INK_CLOAKED },
	{ INK_CLEAN, READ_ELSEWHERE, INK_MAPPED, INK_CLEAN, INK_CLEAN },
	{ INK_CLEAN, WRITE_ELSEWHERE, INK_MAPPED, INK_DIRTY, INK_CLOAKED },
	{ INK_CLOAKED, COPY_CALL, -EBUSY, INK_CLOAKED, INK_CLOAKED },
	{ INK_CLOAKED, TOUCH, 0, INK_CLOAKED, INK_CLOAKED },
	{ INK_CLOAKED, DROP, 1, ABSENT, INK_CLOAKED },
	{ INK_CLOAKED, DROP_ONE, 0, ABSENT, INK_CLOAKED },
	{ INK_CLOAKED, UNMAP, 1, ABSENT, INK_CLOAKED },
	{ INK_CLOAKED, END, 0, ABSENT, INK_CLOAKED },
	{ INK_CLOAKED, READ, INK_MAPPED, INK_CLEAN, INK_CLEAN },
	{ INK_CLOAKED, WRITE, INK_MAPPED, INK_DIRTY, INK_CLOAKED },
	{ INK_CLOAKED, READ_ELSEWHERE, INK_MAPPED, INK_CLEAN, INK_CLEAN },
	{ INK_CLOAKED, WRITE_ELSEWHERE, INK_MAPPED, INK_DIRTY, INK_CLOAKED },
};

static int act(enum verb verb, u32 who)
{
	struct ink_hap *hap = haps[who];
	struct ink_spage *s;
	int err;

	switch (verb) {
	case COPY:
		err = shared_copy_dirty(hap, SER_DATA, INDEX, FREE, &s);
		break;
	case COPY_CALL:
		return ink_hap_copy(&g->vm, hap->id, T_DATA, VA, GFN, FREE);
	case TAKE:
		err = shared_take_dirty(hap, SER_DATA, INDEX, &s);
		break;
	case TOUCH:
		k_page(g, GFN);
		return 0;
	case DROP:
		return ink_object_drop(hap, SER_DATA, INDEX, 1);
	case DROP_ONE:
		any_drop_absent(hap, SER_DATA, INDEX);
		return 0;
	case UNMAP:
		return ink_hap_unmap(hap, VA, 1, SER_DATA, INDEX);
	case END:
		hap_kill(g, hap);
		haps[who] = NULL;
		return 0;
	case READ:
	case WRITE:
		k_hint(hap, VA, GFN, 7, T_DATA);
		return hap_access(g, who, VA, verb == READ ? INK_READ : INK_WRITE).verdict;
	case READ_ELSEWHERE:
	case WRITE_ELSEWHERE:
		k_hint(hap, VA, FREE, 7, T_DATA);
		at[who] = FREE;
		return hap_access(g, who, VA, verb == READ_ELSEWHERE ? INK_READ : INK_WRITE).verdict;
	default:
		return -1;
	}
	if (!err)
		ck_assert_ptr_eq(s, page(who));
	return err;
}

/* who has acted; all others have what they had, and everybody can go on. */
static void everybody(u32 who, u32 row)
{
	bool parted = moves[row].verb == COPY || moves[row].verb == COPY_CALL ||
		      moves[row].mine != moves[row].theirs;
	u64 holder = page(who) && page(who)->state != INK_CLOAKED ? page(who)->gfn : 0;
	u32 i, left = 0, other = who ? 0 : 1;

	if (moves[row].result < 0)
		parted = false;
	ck_assert_int_eq(state(who), moves[row].mine);
	for (i = 0; i < members; i++) {
		if (i == who)
			continue;
		left++;
		ck_assert_int_eq(state(i), moves[row].theirs);
		ck_assert_ptr_eq(page(i), page(other));
	}
	ck_assert_uint_eq(page(other)->refs, parted ? left : left + 1);
	if (parted && page(who)) {
		ck_assert_ptr_ne(page(who), page(other));
		ck_assert_uint_eq(page(who)->refs, 1);
		ck_assert_uint_eq(ink_gfn_is_held(&g->vm, FREE, 1), holder == FREE);
		at[who] = page(who)->gfn;
	}
	/* what the others have was sealed into the page that is now held: only a device gets it */
	if (holder == GFN && parted && moves[row].theirs == INK_CLOAKED) {
		carry(GFN, SPARE);
		for (i = 0; i < members; i++)
			if (i != who)
				at[i] = SPARE;
	}
	guest_check_secrecy(g);

	for (i = 0; i < members; i++)
		if (i != who)
			reads(i, NAME);
	if (haps[who] && page(who)) {
		reads(who, NAME);
		writes(who, NAME + 1);
	} else if (haps[who]) {
		k_hint(haps[who], VA, SPARE + 1, 7, T_DATA);
		hap_reads_zero(g, who, VA);
		at[who] = SPARE + 1;
		writes(who, NAME + 1);
	}
	/* not parted before, but by this write: as above */
	if (haps[who] && moves[row].mine && !parted && at[who] == GFN) {
		carry(GFN, SPARE);
		for (i = 0; i < members; i++)
			if (i != who)
				at[i] = SPARE;
	}
	for (i = 0; i < members; i++)
		if (i != who)
			reads(i, NAME);
	if (haps[who])
		reads(who, NAME + 1);
	/* each of the others makes it its own; the last one needs no other frame for that */
	for (i = 0; i < members; i++)
		if (i != who) {
			if (page(i)->refs > 1) {
				ck_assert_int_eq(ink_hap_copy(&g->vm, haps[i]->id, T_DATA, VA, at[i],
							      SPARE + 2 + i), 0);
				at[i] = SPARE + 2 + i;
			}
			writes(i, NAME + 2 + i);
			ck_assert_uint_eq(page(i)->refs, 1);
		}
	for (i = 0; i < members; i++)
		if (i != who)
			reads(i, NAME + 2 + i);
	if (haps[who])
		reads(who, NAME + 1);
	for (i = 0; i < members; i++)
		if (haps[i]) {
			k_hint(haps[i], OTHER_VA, TAKEN, 7, T_OTHER);
			hap_reads(g, i, OTHER_VA, 1);
		}
	guest_check_secrecy(g);
	expect_no_violation(g);
}

START_TEST(transition)
{
	u32 n, who;
	u64 seals;

	for (n = 2; n <= NR; n++)
		for (who = 0; who < n; who++) {
			setup();
			family(moves[_i].from, n);
			if (moves[_i].verb == READ_ELSEWHERE || moves[_i].verb == WRITE_ELSEWHERE)
				carry(GFN, FREE);
			seals = g->seals;
			if (moves[_i].result < 0)
				REFUSED(g, moves[_i].result, act(moves[_i].verb, who));
			else
				ck_assert_int_eq(act(moves[_i].verb, who), moves[_i].result);
			guest_check(g);
			/* what is plain is sealed once, for all of them; what has a ciphertext, not again */
			ck_assert_uint_eq(g->seals - seals, moves[_i].from == INK_DIRTY &&
					  moves[_i].theirs == INK_CLOAKED);
			everybody(who, _i);
			teardown();
		}
}
END_TEST

/* --- frames, content, memory, limits ------------------------------------------------------------ */

static const struct {
	u64 gfn;
	int err;
} frames[] = {
	{ TAKEN, -EBUSY }, { ARRAY_GFN, -EBUSY }, { GFN, -EBUSY }, { GFN_NONE, -EFAULT }, { GFN_BASE - 1, -EFAULT },
	{ GONE, -EFAULT }, { INK_GFN_END, -EFAULT }, { INK_GFN_END + FREE, -EFAULT }, { U64_MAX, -EFAULT },
};

START_TEST(bad_frame)
{
	struct ink_spage *s;

	setup();
	family(INK_CLEAN, 2);
	REFUSED(g, frames[_i].err, shared_copy_dirty(haps[CHILD], SER_DATA, INDEX, frames[_i].gfn, &s));
	REFUSED(g, frames[_i].err, ink_hap_copy(&g->vm, haps[PARENT]->id, T_DATA, VA, GFN, frames[_i].gfn));
	reads(PARENT, NAME);
	reads(CHILD, NAME);
	teardown();
}
END_TEST

/* The second frame has not the page's ciphertext. */
START_TEST(bad_content)
{
	struct ink_spage *s;

	setup();
	family(INK_CLEAN, 2);
	carry(GFN, FREE);
	if (_i == 0)
		k_page(g, FREE)[17] ^= 1;
	else if (_i == 1)
		memset(k_page(g, FREE), 0, PAGE);
	else {
		/* another page's, of the same age and content */
		ck_assert_int_eq(absent_bind_clean(haps[CHILD], SER_DATA, INDEX + 1, SPARE, &s), 0);
		clean_write_dirty(s);
		secret_fill(s->frame, NAME);
		memcpy(k_page(g, FREE), k_page(g, SPARE), PAGE);
	}
	k_hint(haps[CHILD], VA, FREE, 7, T_DATA);
	ck_assert_int_eq(hap_access(g, CHILD, VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, haps[CHILD]->id, INKTAG_CHECK_TAG, VA, FREE, T_DATA);
	hap_kill(g, haps[CHILD]);
	guest_check(g);
	reads(PARENT, NAME);
	writes(PARENT, NAME + 1);
	teardown();
}
END_TEST

static const enum verb needy[] = { COPY, COPY_CALL, TAKE };

START_TEST(no_memory)
{
	u64 n, left;
	int err = 0;

	setup();
	family(INK_CLEAN, 3);
	carry(GFN, FREE);
	g->vm.limits.frames = g->vm.frames;
	REFUSED(g, -ENOSPC, act(needy[_i], CHILD));
	g->vm.limits = roomy;
	for (n = 1; n < 20; n++) {
		GByteArray *before = snapshot(g);

		fail_allocation(n, 1);
		err = act(needy[_i], CHILD);
		left = env.failed;
		fail_allocation(0, 0);
		if (!left) {
			g_byte_array_free(before, true);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
		unchanged(g, before);
		guest_check(g);
	}
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, 3);
	guest_check(g);
	teardown();
}
END_TEST

/* The slot vanished, or the cipher fails, while one takes the page: the others' is lost, and stays lost. */
START_TEST(take_cannot_seal)
{
	u8 older[PAGE];

	setup();
	family(INK_CLEAN, 1);
	memcpy(older, slot_page(g, GFN), PAGE);
	writes(PARENT, NAME + 1);
	haps[CHILD] = hap_fork(g, 0, 1);
	members = 2;
	if (_i)
		g->seal_fails = true;
	else
		fail_guest(g, 1, 1);
	ck_assert_int_eq(act(TAKE, CHILD), 0);
	g->seal_fails = false;
	fail_guest(g, 0, 0);
	guest_check(g);
	guest_check_secrecy(g);
	carry(GFN, SPARE);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(PARENT), SPARE));
	k_write(g, SPARE, older);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(PARENT), SPARE));
	at[CHILD] = GFN;
	reads(CHILD, NAME + 1);
	teardown();
}
END_TEST

/* --- fork -------------------------------------------------------------------------------------------- */

/* All that there is, in each state, is the child's as well; what there is not, each makes for itself. */
START_TEST(fork_shares_everything)
{
	struct ink_hap *hap, *child;
	u64 serial, index, pages = 0, frames;
	struct ink_object *obj;
	struct ink_spage *s;
	u32 i;

	setup();
	hap = haps[PARENT];
	for (i = 0; i < 6; i++)
		hap_write(g, 0, DATA_VA + i * PAGE, SPARE + i, T_DATA, 100 + i);
	k_page(g, SPARE + 1);
	k_page(g, SPARE + 2);
	hap_reads(g, 0, DATA_VA + 2 * PAGE, 102);
	hap_access_at(g, 0, STUB, INK_WRITE, SPARE + 8, T_ARENA);
	hap_access_at(g, 0, RWX_VA, INK_READ, SPARE + 9, T_RWX);
	frames = g->vm.frames;
	child = hap_fork(g, 0, 1);
	ck_assert_uint_eq(g->vm.frames, frames + 1);	/* the root of its page table */
	ck_assert_int_eq(child->state, INK_RUNS);
	ck_assert_uint_ne(child->id, hap->id);
	ck_assert_uint_eq(child->stub, hap->stub);
	ck_assert_mem_eq(child->measurement, hap->measurement, 32);
	ck_assert_uint_eq(child->nr_threads, 1);
	for (serial = 0; (obj = ink_map_next(&hap->objects, &serial, U64_MAX)); serial++)
		for (index = 0; (s = ink_map_next(&obj->pages, &index, U64_MAX)); index++) {
			ck_assert_ptr_eq(SPAGE(child, serial, index), s);
			ck_assert_uint_eq(s->refs, 2);
			ck_assert_ptr_null(ink_spage_mapping(s, child));
			pages++;
		}
	for (serial = 0; (obj = ink_map_next(&child->objects, &serial, U64_MAX)); serial++)
		pages -= obj->nr_pages;
	ck_assert_uint_eq(pages, 0);

	/* no address is mapped for it, or known */
	for (i = 0; i < 6; i++) {
		ck_assert_int_eq(hap_access(g, 1, DATA_VA + i * PAGE, INK_READ).verdict, INK_ASK);
		k_hint(child, DATA_VA + i * PAGE, SPARE + i, 3, T_DATA);
		hap_reads(g, 1, DATA_VA + i * PAGE, 100 + i);
		hap_reads(g, 0, DATA_VA + i * PAGE, 100 + i);
		guest_check(g);
	}
	/* never written before */
	k_hint(child, RWX_VA, SPARE + 9, 7, T_RWX);
	hap_write(g, 1, RWX_VA, SPARE + 10, T_RWX, 5);
	hap_reads_zero(g, 0, RWX_VA);
	hap_write(g, 0, RWX_VA, SPARE + 11, T_RWX, 6);
	hap_reads(g, 1, RWX_VA, 5);
	hap_reads(g, 0, RWX_VA, 6);
	/* it has the descriptors, and changes its own */
	ck_assert_int_eq(ink_hap_copy(&g->vm, child->id, T_ARRAY, INKTAG_DESC_BASE, ARRAY_GFN, SPARE + 12), 0);
	{
		struct access a = hap_access_at(g, 1, INKTAG_DESC_BASE, INK_WRITE, SPARE + 12, T_ARRAY);

		ck_assert_int_eq(a.verdict, INK_MAPPED);
		memset(a.page + T_DATA * sizeof(struct inktag_desc), 0, sizeof(struct inktag_desc));
	}
	ck_assert_int_eq(ink_hap_unmap(child, DATA_VA, 6, SER_DATA, 100), 6);
	ck_assert_int_eq(hap_access(g, 1, DATA_VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, child->id, INKTAG_CHECK_DESCRIPTOR, DATA_VA, ~0ULL, T_DATA);
	hap_kill(g, child);
	for (i = 0; i < 6; i++)
		hap_reads(g, 0, DATA_VA + i * PAGE, 100 + i);
	guest_check_secrecy(g);
	teardown();
}
END_TEST

/* The right to write is gone on every vCPU, whoever had it. */
START_TEST(fork_takes_the_right_to_write)
{
	struct access a;

	setup();
	hap_write(g, 0, VA, GFN, T_DATA, NAME);
	hap_thread(g, 0, 2);
	ck_assert_int_eq(hap_access(g, 2, VA, INK_WRITE).verdict, INK_MAPPED);
	haps[CHILD] = hap_fork(g, 0, 1);
	k_hint(haps[PARENT], VA, GFN, INKTAG_PROT_READ, T_DATA);
	a = hap_access(g, 2, VA, INK_WRITE);
	ck_assert_int_eq(a.verdict, INK_ASK);
	a = hap_access(g, 0, VA, INK_WRITE);
	ck_assert_int_eq(a.verdict, INK_ASK);
	hap_reads(g, 2, VA, NAME);
	k_hint(haps[CHILD], VA, GFN, INKTAG_PROT_READ, T_DATA);
	hap_reads(g, 1, VA, NAME);
	teardown();
}
END_TEST

/* Generation after generation, each written to by the youngest: each keeps its own. */
START_TEST(generations)
{
	u32 i, n;

	setup();
	hap_write(g, 0, VA, GFN, T_DATA, 0);
	at[0] = GFN;
	for (members = 1; members < NR; members++) {
		haps[members] = hap_fork(g, members - 1, members);
		at[members] = SPARE + members;
		ck_assert_int_eq(ink_hap_copy(&g->vm, haps[members]->id, T_DATA, VA, at[members - 1], at[members]),
				 0);
		writes(members, members);
		for (i = 0; i <= members; i++)
			reads(i, i);
	}
	for (n = 0; n < 2; n++) {
		for (i = 0; i < NR; i++)
			k_page(g, at[i]);	/* to disk, and back */
		for (i = 0; i < NR; i++)
			reads(i, i + n * 10);
		for (i = 0; i < NR; i++)
			writes(i, i + (n + 1) * 10);
	}
	hap_kill(g, haps[CHILD]);
	reads(PARENT, 20);
	reads(GRANDCHILD, 22);
	teardown();
}
END_TEST

/* The ends in every order: who is left has all. */
static const u32 orders[][NR] = {
	{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
};

START_TEST(ends)
{
	u32 i, n;

	setup();
	family(INK_DIRTY, NR);
	for (n = 0; n < NR; n++) {
		hap_kill(g, haps[orders[_i][n]]);
		haps[orders[_i][n]] = NULL;
		guest_check(g);
		ck_assert_int_eq(ink_gfn_is_held(&g->vm, GFN, 1), n < NR - 1);
		for (i = 0; i < NR; i++)
			if (haps[i])
				reads(i, NAME);
	}
	ck_assert_uint_eq(g->vm.frames, 0);
	ck_assert_uint_eq(g->vm.records, 0);
	ck_assert(is_zero(k_page(g, GFN), PAGE));
	teardown();
}
END_TEST

/* --- swap ---------------------------------------------------------------------------------------------- */

/* The kernel takes a shared page once, and gives it back: to both in one frame, or in two. */
START_TEST(swapped)
{
	u8 disk[PAGE];
	u64 seals;
	u32 round;

	setup();
	family(INK_DIRTY, 2);
	for (round = 0; round < 3; round++) {
		seals = g->seals;
		memcpy(disk, k_page(g, at[PARENT]), PAGE);
		if (at[CHILD] != at[PARENT])
			ck_assert_mem_eq(disk, k_page(g, at[CHILD]), PAGE);
		ck_assert_uint_eq(g->seals - seals, round == 0);
		at[PARENT] = SPARE + round;
		at[CHILD] = _i ? FREE : SPARE + round;
		k_write(g, at[PARENT], disk);
		k_write(g, at[CHILD], disk);
		reads(round & 1, NAME);
		reads(!(round & 1), NAME);
		reads(round & 1, NAME);
		ck_assert_ptr_eq(page(PARENT), page(CHILD));
		ck_assert_int_eq(state(PARENT), INK_CLEAN);
	}
	expect_no_violation(g);
	if (!_i) {
		ck_assert_int_eq(act(COPY, CHILD), 0);
		at[CHILD] = FREE;
	}
	writes(CHILD, NAME + 1);
	reads(PARENT, NAME);
	writes(PARENT, NAME + 2);
	reads(CHILD, NAME + 1);
	guest_check_secrecy(g);
	teardown();
}
END_TEST

/*
 * Both have it in frames of their own, and one of them leaves: by a copy, by its end, by giving it up. The other's
 * frame is as good as before, although the page stood in the one that left.
 */
enum leave { L_COPY, L_END, L_DROP, L_MOVE, NR_LEAVES };

START_TEST(left_in_another_frame)
{
	u32 who = _i / NR_LEAVES, other = !who;
	u8 disk[PAGE];

	setup();
	family(INK_DIRTY, 2);
	memcpy(disk, k_page(g, GFN), PAGE);
	k_write(g, FREE, disk);
	at[who] = FREE;
	reads(who, NAME);
	switch (_i % NR_LEAVES) {
	case L_COPY:
		ck_assert_int_eq(ink_hap_copy(&g->vm, haps[who]->id, T_DATA, VA, FREE, SPARE), 0);
		at[who] = SPARE;
		break;
	case L_END:
		hap_kill(g, haps[who]);
		haps[who] = NULL;
		break;
	case L_DROP:
		ck_assert_int_eq(ink_hap_unmap(haps[who], VA, 1, SER_DATA, INDEX), 1);
		break;
	case L_MOVE:
		k_write(g, SPARE, disk);
		at[who] = SPARE;
		reads(who, NAME);
		break;
	}
	guest_check(g);
	if (_i & 1)
		reads(other, NAME);
	writes(other, NAME + 1);
	reads(other, NAME + 1);
	if (_i % NR_LEAVES == L_COPY || _i % NR_LEAVES == L_MOVE)
		reads(who, NAME);
	expect_no_violation(g);
	teardown();
}
END_TEST

/*
 * What both had was read out. Then one of them writes: by a copy, in place, or to what it opened elsewhere. To it, what
 * was before is too old; to the other, what came after is not its own.
 */
enum way { BY_COPY, IN_PLACE, OPENED_ELSEWHERE, NR_WAYS };

START_TEST(replay)
{
	u32 who = _i / NR_WAYS, other = !who;
	u8 older[PAGE], newer[PAGE];

	setup();
	family(INK_DIRTY, 2);
	memcpy(older, k_page(g, GFN), PAGE);
	switch (_i % NR_WAYS) {
	case BY_COPY:
		reads(other, NAME);
		ck_assert_int_eq(ink_hap_copy(&g->vm, haps[who]->id, T_DATA, VA, GFN, FREE), 0);
		at[who] = FREE;
		break;
	case IN_PLACE:
		break;
	case OPENED_ELSEWHERE:
		reads(other, NAME);
		k_write(g, FREE, older);
		at[who] = FREE;
		reads(who, NAME);
		break;
	}
	writes(who, NAME + 1);
	memcpy(newer, k_page(g, at[who]), PAGE);
	ck_assert_mem_ne(older, newer, PAGE);
	k_write(g, SPARE, older);
	k_write(g, SPARE + 1, newer);
	k_page(g, GFN);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(who), SPARE));
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(other), SPARE + 1));
	ck_assert_int_eq(hap_access_at(g, who, VA, INK_READ, SPARE, T_DATA).verdict, INK_KILL);
	expect_violation(g, haps[who]->id, INKTAG_CHECK_TAG, VA, SPARE, T_DATA);
	at[other] = SPARE;
	reads(other, NAME);
	at[who] = SPARE + 1;
	reads(who, NAME + 1);
	teardown();
}
END_TEST

/* The other's frame is offered, plain: nothing of it is seen. */
START_TEST(other_frame)
{
	setup();
	family(INK_DIRTY, 2);
	ck_assert_int_eq(act(COPY, CHILD), 0);
	at[CHILD] = FREE;
	writes(CHILD, NAME + 1);
	ck_assert_int_eq(hap_access_at(g, _i, VA, INK_READ, _i ? GFN : FREE, T_DATA).verdict, INK_KILL);
	expect_violation(g, haps[_i]->id, INKTAG_CHECK_FRAME, VA, _i ? GFN : FREE, T_DATA);
	hap_kill(g, haps[_i]);
	guest_check(g);
	reads(!_i, _i ? NAME : NAME + 1);
	teardown();
}
END_TEST

/* A page that both have in plaintext, unsealed, in a second frame: that cannot be its content. */
START_TEST(second_frame)
{
	setup();
	family(INK_DIRTY, 2);
	ck_assert_int_eq(hap_access_at(g, _i, VA, INK_READ, FREE, T_DATA).verdict, INK_KILL);
	expect_violation(g, haps[_i]->id, INKTAG_CHECK_FRAME, VA, FREE, T_DATA);
	guest_check(g);
	reads(!_i, NAME);
	teardown();
}
END_TEST

/* The kernel changes its mind while one of them opens a second frame, or the first. */
static bool reported;

static void reporter(struct guest *guest, u64 gfn, bool after)
{
	if (reported || !after || gfn != FREE)
		return;
	reported = true;
	k_report(guest, 2, 1000000, haps[CHILD]->id, INKTAG_RING_UNMAP, VA, 0, 1, 0);
}

START_TEST(mind_changed)
{
	setup();
	family(_i ? INK_CLOAKED : INK_CLEAN, 2);
	carry(GFN, FREE);
	k_ring(g, 2);
	reported = false;
	k_hint(haps[CHILD], VA, FREE, 7, T_DATA);
	g->race = reporter;
	ck_assert_int_eq(hap_access(g, CHILD, VA, INK_WRITE).verdict, INK_ASK);
	g->race = NULL;
	ck_assert(reported);
	ck_assert(!ink_gfn_is_held(&g->vm, FREE, 1));
	ck_assert_int_eq(state(CHILD), INK_CLOAKED);
	guest_check(g);
	reads(PARENT, NAME);
	at[CHILD] = FREE;
	reads(CHILD, NAME);
	expect_no_violation(g);
	teardown();
}
END_TEST

/* --- the kernel's copy-on-write ---------------------------------------------------------------------------- */

static const struct {
	const char *what;
	int hap;		/* of the family, or < 0: any number */
	u64 token, va, from, to;
	int err;
} copies[] = {
	{ "the child", CHILD, T_DATA, VA, GFN, FREE, 0 },
	{ "the parent", PARENT, T_DATA, VA, GFN, FREE, 0 },
	{ "under another name", CHILD, T_ALIAS, ALIAS_VA + 5 * PAGE, GFN, FREE, 0 },
	{ "no HAP", -1, T_DATA, VA, GFN, FREE, -ENOENT },
	{ "a HAP's number and more", -2, T_DATA, VA, GFN, FREE, -ENOENT },
	{ "the arena", CHILD, T_ARENA, INKTAG_ARENA_BASE, GFN, FREE, -EINVAL },
	{ "another token", CHILD, T_OTHER, VA, GFN, FREE, -EINVAL },
	{ "the array's token", CHILD, T_ARRAY, VA, GFN, FREE, -EINVAL },
	{ "a free token", CHILD, T_FREE, VA, GFN, FREE, -ENOENT },
	{ "a token above the limit", CHILD, 256, VA, GFN, FREE, -ENOENT },
	{ "a token out of range", CHILD, INKTAG_DESC_MAX, VA, GFN, FREE, -ENOENT },
	{ "a token, but for bit 32", CHILD, 1ULL << 32 | T_DATA, VA, GFN, FREE, -ENOENT },
	{ "no token", CHILD, INKTAG_TOKEN_NONE, VA, GFN, FREE, -ENOENT },
	{ "between pages", CHILD, T_DATA, VA + 8, GFN, FREE, -EINVAL },
	{ "before the descriptor", CHILD, T_DATA, DATA_VA - PAGE, GFN, FREE, -EINVAL },
	{ "after the descriptor", CHILD, T_DATA, DATA_VA + DATA_PAGES * PAGE, GFN, FREE, -EINVAL },
	{ "address 0", CHILD, T_DATA, 0, GFN, FREE, -EINVAL },
	{ "a kernel address", CHILD, T_DATA, 0xffff888000000000, GFN, FREE, -EINVAL },
	{ "the last page", CHILD, T_DATA, ~0xfffULL, GFN, FREE, -EINVAL },
	{ "a page never written", CHILD, T_DATA, VA + PAGE, GFN, FREE, -ENOENT },
	{ "from another frame", CHILD, T_DATA, VA, FREE, SPARE, -EBUSY },
	{ "from another page's frame", CHILD, T_DATA, VA, TAKEN, FREE, -EBUSY },
	{ "from no RAM", CHILD, T_DATA, VA, GFN_NONE, FREE, -EBUSY },
	{ "from the last number", CHILD, T_DATA, VA, U64_MAX, FREE, -EBUSY },
	{ "to where it is", CHILD, T_DATA, VA, GFN, GFN, -EBUSY },
	{ "to another page's frame", CHILD, T_DATA, VA, GFN, TAKEN, -EBUSY },
	{ "to no RAM", CHILD, T_DATA, VA, GFN, GFN_NONE, -EFAULT },
	{ "to what was taken away", CHILD, T_DATA, VA, GFN, GONE, -EFAULT },
	{ "to frame 2^40", CHILD, T_DATA, VA, GFN, INK_GFN_END, -EFAULT },
	{ "to the last number", CHILD, T_DATA, VA, GFN, U64_MAX, -EFAULT },
};

START_TEST(copy)
{
	struct ink_hint hint;
	u64 id;
	u32 who;

	setup();
	family(INK_DIRTY, 2);
	who = copies[_i].hap < 0 ? CHILD : copies[_i].hap;
	id = copies[_i].hap == -1 ? 99 : copies[_i].hap == -2 ? 1ULL << 32 | haps[CHILD]->id : haps[who]->id;
	if (copies[_i].err) {
		REFUSED(g, copies[_i].err, ink_hap_copy(&g->vm, id, copies[_i].token, copies[_i].va, copies[_i].from,
							copies[_i].to));
	} else {
		ck_assert_int_eq(ink_hap_copy(&g->vm, id, copies[_i].token, copies[_i].va, copies[_i].from,
					      copies[_i].to), 0);
		guest_check(g);
		ck_assert(!ink_hint_get(haps[who], copies[_i].va, &hint));
		ck_assert(secret_is(page(who)->frame, NAME));
		ck_assert_uint_eq(page(who)->gfn, FREE);
		ck_assert_uint_eq(page(!who)->gfn, GFN);
		ck_assert(!haps[who]->unflushed);
		at[who] = FREE;
		/* it is not shared any more */
		REFUSED(g, -EINVAL, ink_hap_copy(&g->vm, haps[PARENT]->id, T_DATA, VA, at[PARENT], SPARE));
		REFUSED(g, -EINVAL, ink_hap_copy(&g->vm, haps[CHILD]->id, T_DATA, VA, at[CHILD], SPARE));
		writes(who, NAME + 1);
		reads(!who, NAME);
		writes(!who, NAME + 2);
		reads(who, NAME + 1);
	}
	expect_no_violation(g);
	teardown();
}
END_TEST

START_TEST(copy_not_shared)
{
	struct ink_hap *building;

	setup();
	hap_write(g, 0, VA, GFN, T_DATA, NAME);
	REFUSED(g, -EINVAL, ink_hap_copy(&g->vm, haps[PARENT]->id, T_DATA, VA, GFN, FREE));
	building = hap_build(g, SPARE, SPARE + 1);
	REFUSED(g, -EINVAL, ink_hap_copy(&g->vm, building->id, T_CODE, CODE_VA, SPARE + 1, FREE));
	REFUSED(g, -EINVAL, ink_hap_copy(&g->vm, building->id, T_ARRAY, INKTAG_DESC_BASE, SPARE, FREE));
	teardown();
}
END_TEST

/* Judging needs the array's page: while that is ciphertext, nothing is copied. */
START_TEST(copy_array_cloaked)
{
	setup();
	family(INK_DIRTY, 2);
	k_page(g, ARRAY_GFN);
	REFUSED(g, -EBUSY, ink_hap_copy(&g->vm, haps[CHILD]->id, T_DATA, VA, GFN, FREE));
	REFUSED(g, -EBUSY, ink_hap_copy(&g->vm, haps[CHILD]->id, T_ARRAY, INKTAG_DESC_BASE, ARRAY_GFN, FREE));
	k_hint(haps[PARENT], INKTAG_DESC_BASE, ARRAY_GFN, 3, T_ARRAY);
	ck_assert_int_eq(hap_access(g, 0, INKTAG_DESC_BASE, INK_READ).verdict, INK_MAPPED);
	/* opened for one of them, it is open for the other */
	ck_assert_int_eq(ink_hap_copy(&g->vm, haps[CHILD]->id, T_DATA, VA, GFN, FREE), 0);
	guest_check(g);
	teardown();
}
END_TEST

/* For the prepared child, which has not started, the kernel may copy, too; for its maker, after that only. */
START_TEST(copy_for_the_unborn)
{
	u64 handle, cr3, maker;

	setup();
	family(INK_DIRTY, 1);
	cr3 = haps[PARENT]->cr3;
	maker = g->cpu[0].thread->handle;
	ck_assert_int_eq(hap_clone(g, 0, true, &handle), 0);
	haps[CHILD] = ink_hap_find(&g->vm, handle >> 32);
	if (_i == PARENT) {
		REFUSED(g, -EBUSY, ink_hap_copy(&g->vm, haps[_i]->id, T_DATA, VA, GFN, FREE));
		ck_assert_int_eq(cpu_resume(g, 1, handle, 0x77000, 1), 0);
	}
	ck_assert_int_eq(ink_hap_copy(&g->vm, haps[_i]->id, T_DATA, VA, GFN, FREE), 0);
	guest_check(g);
	at[_i] = FREE;
	at[!_i] = GFN;
	if (_i == CHILD)
		ck_assert_int_eq(cpu_resume(g, 1, handle, 0x77000, 1), 0);
	ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 1), 0);
	writes(PARENT, NAME + 1);
	reads(CHILD, NAME);
	writes(CHILD, NAME + 2);
	reads(PARENT, NAME + 1);
	teardown();
}
END_TEST

/* --- between the preparation and the return ------------------------------------------------------------------ */

enum over { CAME_BACK, FAILED, STARTED, MAKER_ENDED, NR_OVERS };

/* The other threads cannot write to what is shared, until the kernel is done; all else goes on. */
START_TEST(stalled)
{
	u64 maker, handle, cr3;
	struct access a;

	setup();
	hap_write(g, 0, VA, GFN, T_DATA, NAME);
	hap_thread(g, 0, 2);
	maker = g->cpu[0].thread->handle;
	cr3 = haps[PARENT]->cr3;
	ck_assert_int_eq(ink_thread_signal_entry(g->cpu[0].thread, ENTRY, STACK), 0);
	ck_assert_int_eq(hap_clone(g, 0, true, &handle), 0);
	ck_assert_uint_eq(haps[PARENT]->forks, 1);
	REFUSED(g, INK_ASK, hap_access(g, 2, VA, INK_WRITE).verdict);
	a = hap_access(g, 2, VA, INK_WRITE);
	ck_assert_uint_eq(a.ask_va, VA);
	ck_assert_uint_eq(a.ask_access, INK_WRITE);
	hap_reads(g, 2, VA, NAME);
	REFUSED(g, INK_ASK, hap_access(g, 2, VA, INK_WRITE).verdict);
	hap_write(g, 2, VA + PAGE, SPARE, T_DATA, 5);	/* absent before: not the child's */
	switch (_i) {
	case CAME_BACK:
		ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, 99), 0);
		break;
	case FAILED:
		ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, -11), 0);
		ck_assert_uint_eq(SPAGE(haps[PARENT], SER_DATA, INDEX)->refs, 1);
		break;
	case STARTED:
		ck_assert_int_eq(cpu_resume(g, 1, handle, 0x77000, 99), 0);
		break;
	case MAKER_ENDED:	/* by its own will, in its signal entry */
		ck_assert_int_eq(cpu_signal(g, 0, maker, cr3, USTACK, (u64[3]) { }), 0);
		REFUSED(g, INK_ASK, hap_access(g, 0, VA, INK_WRITE).verdict);
		cpu_thread_exit(g, 0);
		break;
	}
	ck_assert_uint_eq(haps[PARENT]->forks, 0);
	guest_check(g);
	hap_write(g, 2, VA, GFN, T_DATA, NAME + 1);
	guest_check(g);
	hap_reads(g, 2, VA, NAME + 1);
	hap_reads(g, 2, VA + PAGE, 5);
	expect_no_violation(g);
	teardown();
}
END_TEST

/* Two at once: the last one counts. Nor is a copy the way out, before the kernel has seen the fork. */
START_TEST(stalled_by_two)
{
	u64 maker[2], handle[2], cr3;
	u32 first = _i;

	setup();
	hap_write(g, 0, VA, GFN, T_DATA, NAME);
	hap_write(g, 0, VA + PAGE, SPARE, T_DATA, NAME + 1);
	maker[0] = g->cpu[0].thread->handle;
	maker[1] = hap_thread(g, 0, 1)->handle;
	hap_thread(g, 0, 2);
	cr3 = haps[PARENT]->cr3;
	ck_assert_int_eq(hap_clone(g, 0, true, &handle[0]), 0);
	ck_assert_int_eq(hap_clone(g, 1, true, &handle[1]), 0);
	ck_assert_uint_eq(SPAGE(haps[PARENT], SER_DATA, INDEX)->refs, 3);
	ck_assert_uint_eq(haps[PARENT]->forks, 2);
	ck_assert_int_eq(cpu_resume(g, first, maker[first], cr3, 99), 0);
	REFUSED(g, INK_ASK, hap_access(g, 2, VA, INK_WRITE).verdict);
	REFUSED(g, INK_ASK, hap_access(g, first, VA, INK_WRITE).verdict);
	REFUSED(g, -EBUSY, ink_hap_copy(&g->vm, haps[PARENT]->id, T_DATA, VA, GFN, FREE));
	carry((k_page(g, GFN), GFN), FREE);	/* the kernel's copy */
	k_hint(haps[PARENT], VA, FREE, 7, T_DATA);
	ck_assert_int_eq(hap_access(g, 2, VA, INK_WRITE).verdict, INK_ASK);
	hap_reads(g, 2, VA, NAME);
	REFUSED(g, INK_ASK, hap_access(g, 2, VA + PAGE, INK_WRITE).verdict);
	ck_assert_int_eq(cpu_resume(g, 3, maker[!first], cr3, -1), 0);
	ck_assert_uint_eq(haps[PARENT]->forks, 0);
	ck_assert_int_eq(hap_access(g, first, VA + PAGE, INK_WRITE).verdict, INK_MAPPED);
	hap_write(g, 2, VA, FREE, T_DATA, 3);
	hap_reads(g, 3, VA, 3);
	guest_check(g);
	teardown();
}
END_TEST

/* --- limits, and memory that is not there, in the middle of a fork -------------------------------------------- */

/* Pages in each state, none of them mapped: a fork that fails leaves no trace but the number of the HAP. */
static void crowd(void)
{
	u32 i;

	setup();
	for (i = 0; i < 5; i++)
		hap_write(g, 0, DATA_VA + i * PAGE, SPARE + i, T_DATA, i);
	k_page(g, SPARE + 1);
	k_page(g, SPARE + 2);
	hap_reads(g, 0, DATA_VA + 2 * PAGE, 2);
	ck_assert_int_eq(ink_hap_unmap(haps[PARENT], 0, INKTAG_UNMAP_MAX, 0, 0), 0);
	ck_assert_int_eq(ink_thread_signal_entry(g->cpu[0].thread, ENTRY, STACK), 0);
}

static void fork_refused(int want)
{
	GByteArray *before = snapshot(g);
	u32 last = g->vm.last_hap;
	u64 handle;

	ck_assert_int_eq(hap_clone(g, 0, true, &handle), want);
	ck_assert_uint_le(g->vm.last_hap - last, 1);
	g->vm.last_hap = last;
	unchanged(g, before);
	guest_check(g);
}

static void fork_works(void)
{
	u32 i;

	haps[CHILD] = hap_fork(g, 0, 1);
	for (i = 0; i < 5; i++) {
		k_hint(haps[CHILD], DATA_VA + i * PAGE, SPARE + i, 3, T_DATA);
		hap_reads(g, 1, DATA_VA + i * PAGE, i);
		hap_reads(g, 0, DATA_VA + i * PAGE, i);
	}
}

START_TEST(fork_without_memory)
{
	u64 n, failed, handle;
	int err;

	crowd();
	for (n = 1; n < 200; n++) {
		GByteArray *before = snapshot(g);
		u32 last = g->vm.last_hap;

		fail_allocation(n, 1);
		err = hap_clone(g, 0, true, &handle);
		failed = env.failed;
		fail_allocation(0, 0);
		if (!failed) {
			g_byte_array_free(before, true);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
		g->vm.last_hap = last;
		unchanged(g, before);
		guest_check(g);
	}
	ck_assert_int_eq(err, 0);
	ck_assert_uint_gt(n, 12);
	guest_check(g);
	teardown();
}
END_TEST

START_TEST(fork_beyond_limits)
{
	struct kvm_inktag_limits tight;
	u64 frames, left;

	crowd();
	g->vm.limits.haps = 1;
	fork_refused(-ENOSPC);
	g->vm.limits = roomy;
	g->vm.limits.threads = 0;	/* of each HAP: the child can have none */
	fork_refused(-ENOSPC);
	g->vm.limits = roomy;
	g->vm.limits.frames = g->vm.frames;
	fork_refused(-ENOSPC);
	g->vm.limits = roomy;
	/* the records of its pages and objects: one too few, two too few, ... */
	frames = g->vm.frames + 1;
	tight = roomy;
	for (left = 0; left < 12; left++) {
		tight.frames = frames;
		g->vm.limits = tight;
		/* four objects, eight pages: filled up so that so many are left */
		while (INK_RECORDS(&tight) - g->vm.records > left) {
			struct ink_hint hint = { .gfn = 1, .prot = 7, .token = T_DATA };

			ck_assert_int_eq(ink_hint_set(haps[PARENT], FREE_VA + g->vm.records * PAGE, &hint), 0);
		}
		fork_refused(-ENOSPC);
		ink_hint_clear(haps[PARENT], FREE_VA, 1000);
	}
	g->vm.limits = roomy;
	fork_works();
	teardown();
}
END_TEST

/* To write to what is shared takes a frame, if only for a moment. */
START_TEST(write_without_frames)
{
	setup();
	family(INK_DIRTY, 2);
	g->vm.limits.frames = g->vm.frames;
	ck_assert_int_eq(hap_access(g, CHILD, VA, INK_WRITE).verdict, INK_NOMEM);
	guest_check(g);
	expect_no_violation(g);
	ck_assert_int_eq(state(CHILD), INK_DIRTY);
	reads(PARENT, NAME);
	g->vm.limits.frames++;
	writes(CHILD, NAME + 1);
	g->vm.limits = roomy;
	carry(GFN, SPARE);
	at[PARENT] = SPARE;
	reads(PARENT, NAME);
	teardown();
}
END_TEST

/* A mapping that another one has already costs memory: without it, the HAP that asks is the one that ends. */
START_TEST(map_without_memory)
{
	u64 n;
	struct access a;

	setup();
	hap_write(g, 0, VA, GFN, T_DATA, NAME);
	at[PARENT] = GFN;
	haps[CHILD] = hap_fork(g, 0, 1);
	reads(PARENT, NAME);
	k_hint(haps[CHILD], VA, GFN, 7, T_DATA);
	for (n = 1; n < 10; n++) {
		fail_allocation(n, 1);
		a = hap_access(g, CHILD, VA, INK_READ);
		guest_check(g);
		if (!env.failed)
			break;
		ck_assert_int_eq(a.verdict, INK_NOMEM);
		ck_assert_ptr_null(ink_spage_mapping(page(CHILD), haps[CHILD]));
	}
	fail_allocation(0, 0);
	ck_assert_int_eq(a.verdict, INK_MAPPED);
	ck_assert_uint_eq(n, 4);	/* a record and tables; those that there are by then stay */
	reads(PARENT, NAME);
	teardown();
}
END_TEST

/* --- the checker --------------------------------------------------------------------------------------------- */

#define WRONG(field, value) do {						\
	__typeof__(field) _old = (field);					\
	(field) = (value);							\
	ck_assert_msg(!vm_is_valid(&g->vm), "not noticed: " #field " = " #value);	\
	(field) = _old;								\
	ck_assert(vm_is_valid(&g->vm));					\
} while (0)

static u64 *leaf(struct ink_hap *hap, u64 va)
{
	u64 *table = hap->root;
	int shift;

	for (shift = 39; shift > 12; shift -= 9)
		table = ink_page_va(table[va >> shift & 511] & 0xffffffffff000);
	return &table[va >> 12 & 511];
}

START_TEST(checker)
{
	struct ink_mapping extra;
	struct ink_spage *s;

	setup();
	family(INK_DIRTY, 3);
	s = page(PARENT);
	WRONG(s->refs, 1);
	WRONG(s->refs, 2);
	WRONG(s->refs, 4);
	WRONG(s->map.hap, NULL);
	WRONG(s->map.hap, haps[CHILD]);
	WRONG(s->map.hap, haps[GRANDCHILD]);
	WRONG(s->map.next, NULL);
	WRONG(s->map.next->next, NULL);
	WRONG(s->map.next->va, VA + PAGE);
	extra = s->map;
	WRONG(s->map.next, &extra);
	WRONG(*leaf(haps[PARENT], VA), *leaf(haps[PARENT], VA) | 2);	/* writable */
	WRONG(*leaf(haps[CHILD], VA), *leaf(haps[CHILD], VA) | 2);
	WRONG(*leaf(haps[GRANDCHILD], VA), 0);
	WRONG(s->state, INK_CLOAKED);
	teardown();
}
END_TEST

Suite *suite_share(void)
{
	Suite *s = suite_create("share");
	TCase *tc = unit_case("share");

	tcase_add_loop_test(tc, transition, 0, ARRAY_SIZE(moves));
	tcase_add_loop_test(tc, bad_frame, 0, ARRAY_SIZE(frames));
	tcase_add_loop_test(tc, bad_content, 0, 3);
	tcase_add_loop_test(tc, no_memory, 0, ARRAY_SIZE(needy));
	tcase_add_loop_test(tc, take_cannot_seal, 0, 2);
	tcase_add_test(tc, fork_shares_everything);
	tcase_add_test(tc, fork_takes_the_right_to_write);
	tcase_add_test(tc, generations);
	tcase_add_loop_test(tc, ends, 0, ARRAY_SIZE(orders));
	tcase_add_loop_test(tc, swapped, 0, 2);
	tcase_add_loop_test(tc, left_in_another_frame, 0, 2 * NR_LEAVES);
	tcase_add_loop_test(tc, replay, 0, 2 * NR_WAYS);
	tcase_add_loop_test(tc, other_frame, 0, 2);
	tcase_add_loop_test(tc, second_frame, 0, 2);
	tcase_add_loop_test(tc, mind_changed, 0, 2);
	tcase_add_loop_test(tc, copy, 0, ARRAY_SIZE(copies));
	tcase_add_test(tc, copy_not_shared);
	tcase_add_test(tc, copy_array_cloaked);
	tcase_add_loop_test(tc, copy_for_the_unborn, 0, 2);
	tcase_add_loop_test(tc, stalled, 0, NR_OVERS);
	tcase_add_loop_test(tc, stalled_by_two, 0, 2);
	tcase_add_test(tc, fork_without_memory);
	tcase_add_test(tc, fork_beyond_limits);
	tcase_add_test(tc, write_without_frames);
	tcase_add_test(tc, map_without_memory);
	tcase_add_test(tc, checker);
	suite_add_tcase(s, tc);
	return s;
}
