// SPDX-License-Identifier: GPL-2.0-or-later
/* Each transition of a page: from every state, with every kind of frame and content. */
#include "unit.h"

#define ABSENT	0
#define INDEX	105		/* DATA_VA + 5 pages */
#define GFN	FIRST_GFN
#define FREE	(FIRST_GFN + 1)
#define TAKEN	(FIRST_GFN + 2)	/* holds another page */
#define GONE	(FIRST_GFN + 3)	/* its slot page was taken away */
#define NAME	77		/* of the content under test */

static struct guest *g;
static struct ink_hap *hap;
static struct ink_spage *other;

static struct ink_spage *page(void)
{
	return SPAGE(hap, SER_DATA, INDEX);
}

static void make_dirty(struct ink_hap *h, u64 serial, u64 index, u64 gfn, u64 name)
{
	struct ink_spage *s;

	ck_assert_int_eq(absent_bind_clean(h, serial, index, gfn, &s), 0);
	ck_assert(is_zero(s->frame, PAGE));
	clean_write_dirty(s);
	secret_fill(s->frame, name);
}

/* The page under test, in this state, bound to GFN if it is plain. */
static void make(int state)
{
	if (state == ABSENT)
		return;
	make_dirty(hap, SER_DATA, INDEX, GFN, NAME);
	if (state == INK_DIRTY)
		return;
	k_page(g, GFN);
	if (state == INK_CLEAN)
		ck_assert_int_eq(cloaked_open_clean(page(), GFN), 0);
}

static void expect(int state)
{
	struct ink_spage *s = page();

	guest_check(g);
	ck_assert_int_eq(s ? s->state : ABSENT, state);
	ck_assert_int_eq(ink_gfn_is_held(&g->vm, GFN, 1), state == INK_DIRTY || state == INK_CLEAN);
	if (state == INK_DIRTY || state == INK_CLEAN)
		ck_assert_ptr_nonnull(s->frame);
	/* the other party */
	ck_assert_int_eq(other->state, INK_DIRTY);
	ck_assert_uint_eq(other->gfn, TAKEN);
	ck_assert(secret_is(other->frame, 1));
	guest_check_secrecy(g);
}

static void setup(void)
{
	g = guest_new(&roomy);
	hap = hap_launch(g, 0);
	make_dirty(hap, SER_OTHER, 0, TAKEN, 1);
	other = SPAGE(hap, SER_OTHER, 0);
	g->absent[GONE - GFN_BASE] = true;
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

/* --- the transitions ------------------------------------------------------------------------- */

enum verb { BIND, LOAD, TOUCH, TOUCH_FREE, DROP, DROP_OTHER, DROP_BESIDE };

static const struct {
	int from;
	enum verb verb;
	int result, to;
} moves[] = {
	{ ABSENT, BIND, 0, INK_CLEAN },
	{ ABSENT, LOAD, 0, INK_DIRTY },
	{ ABSENT, TOUCH, 0, ABSENT },
	{ ABSENT, DROP, 0, ABSENT },
	{ INK_DIRTY, BIND, -EEXIST, INK_DIRTY },
	{ INK_DIRTY, LOAD, -EEXIST, INK_DIRTY },
	{ INK_DIRTY, TOUCH, 0, INK_CLOAKED },
	{ INK_DIRTY, TOUCH_FREE, 0, INK_DIRTY },
	{ INK_DIRTY, DROP, 1, ABSENT },
	{ INK_DIRTY, DROP_OTHER, 0, INK_DIRTY },
	{ INK_DIRTY, DROP_BESIDE, 0, INK_DIRTY },
	{ INK_CLEAN, BIND, -EEXIST, INK_CLEAN },
	{ INK_CLEAN, LOAD, -EEXIST, INK_CLEAN },
	{ INK_CLEAN, TOUCH, 0, INK_CLOAKED },
	{ INK_CLEAN, TOUCH_FREE, 0, INK_CLEAN },
	{ INK_CLEAN, DROP, 1, ABSENT },
	{ INK_CLEAN, DROP_OTHER, 0, INK_CLEAN },
	{ INK_CLEAN, DROP_BESIDE, 0, INK_CLEAN },
	{ INK_CLOAKED, BIND, -EEXIST, INK_CLOAKED },
	{ INK_CLOAKED, LOAD, -EEXIST, INK_CLOAKED },
	{ INK_CLOAKED, TOUCH, 0, INK_CLOAKED },
	{ INK_CLOAKED, TOUCH_FREE, 0, INK_CLOAKED },
	{ INK_CLOAKED, DROP, 1, ABSENT },
	{ INK_CLOAKED, DROP_OTHER, 0, INK_CLOAKED },
	{ INK_CLOAKED, DROP_BESIDE, 0, INK_CLOAKED },
};

static int act(enum verb verb, u64 free_gfn)
{
	struct ink_spage *s;

	switch (verb) {
	case BIND:
		return absent_bind_clean(hap, SER_DATA, INDEX, free_gfn, &s);
	case LOAD:
		return absent_load_dirty(hap, SER_DATA, INDEX, free_gfn, &s);
	case TOUCH:
		ink_gfn_touch(&g->vm, GFN);
		return 0;
	case TOUCH_FREE:
		ink_gfn_touch(&g->vm, FREE);
		return 0;
	case DROP:
		return ink_object_drop(hap, SER_DATA, INDEX, 1);
	case DROP_OTHER:
		return ink_object_drop(hap, SER_RWX, INDEX, 1);
	case DROP_BESIDE:
		return ink_object_drop(hap, SER_DATA, INDEX + 1, 1000) +
		       ink_object_drop(hap, SER_DATA, 0, INDEX);
	}
	return -1;
}

START_TEST(transition)
{
	bool same = moves[_i].from == moves[_i].to;
	u64 free_gfn = moves[_i].from == ABSENT ? GFN : FREE;
	u8 marks[PAGE];

	memset(marks, 0x5a, PAGE);
	make(moves[_i].from);
	k_write(g, free_gfn, marks);
	expect(moves[_i].from);
	if (same)
		REFUSED(g, moves[_i].result, act(moves[_i].verb, free_gfn));
	else
		ck_assert_int_eq(act(moves[_i].verb, free_gfn), moves[_i].result);
	expect(moves[_i].to);
	if (moves[_i].verb == BIND && !same)
		ck_assert(is_zero(page()->frame, PAGE));
	if (moves[_i].verb == LOAD && !same)
		ck_assert_mem_eq(page()->frame, marks, PAGE);
}
END_TEST

/* What was cloaked comes back, read-only; becomes dirty by a write; comes back with that. */
START_TEST(round_trip)
{
	u8 first[PAGE], again[PAGE];
	u64 version;

	make(INK_DIRTY);
	memcpy(first, k_page(g, GFN), PAGE);
	expect(INK_CLOAKED);
	ck_assert(!is_zero(first, PAGE));
	version = page()->id.version;

	ck_assert_int_eq(cloaked_open_clean(page(), GFN), 0);
	expect(INK_CLEAN);
	ck_assert(secret_is(page()->frame, NAME));
	memcpy(again, k_page(g, GFN), PAGE);
	expect(INK_CLOAKED);
	ck_assert_msg(!memcmp(first, again, PAGE), "an unchanged page was sealed again");
	ck_assert_uint_eq(page()->id.version, version);

	ck_assert_int_eq(cloaked_open_clean(page(), GFN), 0);
	clean_write_dirty(page());
	expect(INK_DIRTY);
	memcpy(again, k_page(g, GFN), PAGE);
	expect(INK_CLOAKED);
	ck_assert_uint_gt(page()->id.version, version);
	ck_assert_msg(memcmp(first, again, PAGE), "the same content was sealed to the same ciphertext");
	ck_assert_int_eq(cloaked_open_clean(page(), GFN), 0);
	ck_assert(secret_is(page()->frame, NAME));
}
END_TEST

/* --- frames -------------------------------------------------------------------------------------- */

static const struct {
	const char *what;
	u64 gfn;
	int err;
} frames[] = {
	{ "held by another page", TAKEN, -EBUSY },
	{ "held by the array", ARRAY_GFN, -EBUSY },
	{ "no RAM", GFN_NONE, -EFAULT },
	{ "below the slot", GFN_BASE - 1, -EFAULT },
	{ "taken away", GONE, -EFAULT },
	{ "beyond what a hint holds", INK_GFN_END, -EFAULT },
	{ "the slot's, but for a high bit", INK_GFN_END + FREE, -EFAULT },
	{ "the last number", U64_MAX, -EFAULT },
	{ "its address wraps", (1ULL << 52) + FREE, -EFAULT },
};

START_TEST(bad_frame)
{
	struct ink_spage *s;

	REFUSED(g, frames[_i].err, absent_bind_clean(hap, SER_DATA, INDEX, frames[_i].gfn, &s));
	REFUSED(g, frames[_i].err, absent_load_dirty(hap, SER_DATA, INDEX, frames[_i].gfn, &s));
	expect(ABSENT);
	make(INK_CLOAKED);
	REFUSED(g, frames[_i].err, cloaked_open_clean(page(), frames[_i].gfn));
	expect(INK_CLOAKED);
	ck_assert_int_eq(cloaked_open_clean(page(), GFN), 0);
	expect(INK_CLEAN);
	ck_assert(secret_is(page()->frame, NAME));
}
END_TEST

/* The range is the core's own: it does not rely on the host having no memory there. */
START_TEST(frame_beyond_hints)
{
	struct ink_spage *s;

	g->ram_everywhere = true;
	REFUSED(g, -EFAULT, absent_bind_clean(hap, SER_DATA, INDEX, INK_GFN_END, &s));
	REFUSED(g, -EFAULT, absent_bind_clean(hap, SER_DATA, INDEX, U64_MAX, &s));
	g->ram_everywhere = false;
}
END_TEST

/* A cloaked page's ciphertext may come back anywhere. */
START_TEST(other_frame)
{
	u8 copy[PAGE];

	make(INK_CLOAKED);
	memcpy(copy, k_page(g, GFN), PAGE);
	k_write(g, FREE, copy);
	memset(copy, 0, PAGE);
	k_write(g, GFN, copy);
	ck_assert_int_eq(cloaked_open_clean(page(), FREE), 0);
	guest_check(g);
	ck_assert(ink_gfn_is_held(&g->vm, FREE, 1));
	ck_assert(!ink_gfn_is_held(&g->vm, GFN, 1));
	ck_assert(secret_is(page()->frame, NAME));
}
END_TEST

/* What was bound and not written to is zeros wherever it is opened, and no ciphertext; then it is a page like others. */
START_TEST(never_written)
{
	struct ink_spage *s;
	u8 junk[PAGE];
	u64 seals = g->seals;

	ck_assert_int_eq(absent_bind_clean(hap, SER_DATA, INDEX, GFN, &s), 0);
	expect(INK_CLEAN);
	memset(junk, 0x5a, PAGE);
	k_write(g, GFN, junk);
	expect(INK_CLOAKED);
	ck_assert_int_eq(cloaked_open_clean(s, GFN), 0);
	expect(INK_CLEAN);
	ck_assert(is_zero(s->frame, PAGE));
	ck_assert_mem_eq(slot_page(g, GFN), junk, PAGE);
	ck_assert_uint_eq(g->seals, seals);
	clean_write_dirty(s);
	secret_fill(s->frame, NAME);
	k_write(g, GFN, junk);
	ck_assert_uint_eq(g->seals, seals + 1);
	REFUSED(g, -EBADMSG, cloaked_open_clean(s, GFN));
	expect(INK_CLOAKED);
}
END_TEST

START_TEST(is_held_ranges)
{
	make(INK_DIRTY);
	g->locked = false;	/* needs no lock */
	ck_assert(ink_gfn_is_held(&g->vm, GFN, 1));
	ck_assert(!ink_gfn_is_held(&g->vm, FREE, 1));
	ck_assert(ink_gfn_is_held(&g->vm, 0, 512));
	ck_assert(ink_gfn_is_held(&g->vm, 0, GFN + 1));
	ck_assert(!ink_gfn_is_held(&g->vm, 0, ARRAY_GFN));
	ck_assert(!ink_gfn_is_held(&g->vm, TAKEN + 1, 512));
	ck_assert(!ink_gfn_is_held(&g->vm, INK_GFN_END, 1));
	g->locked = true;
}
END_TEST

/* --- content ------------------------------------------------------------------------------------- */

enum offer { FLIP_FIRST, FLIP_LAST, FLIP_MIDDLE, ZEROS, ONES, PLAIN, OLDER, OTHER_INDEX, OTHER_OBJECT,
	     OTHER_HAP, NR_OFFERS };

static void make_offer(enum offer offer, u8 *ct)
{
	struct ink_hap *hap2;
	struct ink_spage *s;

	switch (offer) {
	case FLIP_FIRST:
		ct[0] ^= 1;
		break;
	case FLIP_MIDDLE:
		ct[PAGE / 2] ^= 0x80;
		break;
	case FLIP_LAST:
		ct[PAGE - 1] ^= 1;
		break;
	case ZEROS:
		memset(ct, 0, PAGE);
		break;
	case ONES:
		memset(ct, 0xff, PAGE);
		break;
	case PLAIN:
		memset(ct, 0, PAGE);
		memcpy(ct, "a page that the kernel would like", 33);
		break;
	case OLDER:
		/* ct is valid now; the page is opened, written, and sealed again. */
		ck_assert_int_eq(cloaked_open_clean(page(), GFN), 0);
		clean_write_dirty(page());
		secret_fill(page()->frame, NAME + 1);
		k_page(g, GFN);
		break;
	case OTHER_INDEX:
		make_dirty(hap, SER_DATA, INDEX + 1, FREE, NAME);
		memcpy(ct, k_page(g, FREE), PAGE);
		break;
	case OTHER_OBJECT:
		make_dirty(hap, SER_RWX, INDEX, FREE, NAME);
		memcpy(ct, k_page(g, FREE), PAGE);
		break;
	case OTHER_HAP:
		hap2 = hap_build(g, FREE + 10, FREE + 11);
		make_dirty(hap2, SER_DATA, INDEX, FREE, NAME);
		memcpy(ct, k_page(g, FREE), PAGE);
		/* as if it were of the same age, too */
		s = SPAGE(hap2, SER_DATA, INDEX);
		page()->id.version = s->id.version;
		memcpy(page()->tag, s->tag, INK_TAG_SIZE);
		break;
	case NR_OFFERS:
		break;
	}
}

START_TEST(bad_content)
{
	u8 right[PAGE], ct[PAGE];
	u64 gfn = FREE + 4;

	make(INK_CLOAKED);
	memcpy(right, k_page(g, GFN), PAGE);
	memcpy(ct, right, PAGE);
	make_offer(_i, ct);
	k_write(g, gfn, ct);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(), gfn));
	expect(INK_CLOAKED);
	ck_assert_msg(!ink_gfn_is_held(&g->vm, gfn, 1), "the refused frame is still held");
}
END_TEST

/* The identity is bound even where version and tag are made to agree. */
START_TEST(bound_to_identity)
{
	struct ink_spage *a, *b;

	make_dirty(hap, SER_DATA, INDEX, GFN, NAME);
	make_dirty(hap, _i ? SER_RWX : SER_DATA, _i ? INDEX : INDEX + 1, FREE, NAME);
	k_page(g, GFN);
	k_page(g, FREE);
	a = page();
	b = _i ? SPAGE(hap, SER_RWX, INDEX) : SPAGE(hap, SER_DATA, INDEX + 1);
	b->id.version = a->id.version;
	memcpy(b->tag, a->tag, INK_TAG_SIZE);
	ck_assert_int_eq(cloaked_open_clean(b, GFN), -EBADMSG);
	ck_assert_int_eq(cloaked_open_clean(a, GFN), 0);
}
END_TEST

/* A device overwrites the slot page of a held frame: plaintext is not touched, staleness shows. */
START_TEST(device_writes)
{
	u8 garbage[PAGE];

	memset(garbage, 0xee, PAGE);
	make(INK_CLEAN);
	dev_write(g, GFN, garbage);
	ck_assert(secret_is(page()->frame, NAME));
	k_page(g, GFN);
	expect(INK_CLOAKED);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(), GFN));

	make_dirty(hap, SER_DATA, INDEX + 1, FREE, 5);
	dev_write(g, FREE, garbage);
	ck_assert(secret_is(SPAGE(hap, SER_DATA, INDEX + 1)->frame, 5));
	k_page(g, FREE);
	ck_assert_int_eq(cloaked_open_clean(SPAGE(hap, SER_DATA, INDEX + 1), FREE), 0);
	ck_assert(secret_is(SPAGE(hap, SER_DATA, INDEX + 1)->frame, 5));
}
END_TEST

/* Another vCPU of the guest writes to each frame that it can reach, at each step of the core. */
static u64 raced;

static void scribble(struct guest *guest, u64 gfn, bool after)
{
	(void)after;
	if (is_ram(guest, gfn) && guest->npt[gfn - GFN_BASE])
		memset(slot_page(guest, gfn), 0xa0 + ++raced, PAGE);
}

/* Once the load has begun the frame is held: what was taken is what is there afterwards. */
START_TEST(load_races)
{
	struct ink_spage *s;
	u8 marks[PAGE];

	memset(marks, 0x5a, PAGE);
	k_write(g, GFN, marks);
	g->race = scribble;
	ck_assert_int_eq(absent_load_dirty(hap, SER_DATA, INDEX, GFN, &s), 0);
	g->race = NULL;
	ck_assert_uint_gt(raced, 0);
	ck_assert_mem_eq(s->frame, slot_page(g, GFN), PAGE);
	expect(INK_DIRTY);
}
END_TEST

static u8 good[PAGE], bad[PAGE];

/* A device that changes the page right after it was read. */
static void device_flips(struct guest *guest, u64 gfn, bool after)
{
	if (gfn == GFN)
		dev_write(guest, gfn, after ? bad : good);
}

START_TEST(open_reads_once)
{
	make(INK_CLOAKED);
	memcpy(good, k_page(g, GFN), PAGE);
	memset(bad, 0x11, PAGE);
	g->race = device_flips;
	ck_assert_int_eq(cloaked_open_clean(page(), GFN), 0);
	g->race = NULL;
	ck_assert(secret_is(page()->frame, NAME));
	expect(INK_CLEAN);
}
END_TEST

/* --- faults ----------------------------------------------------------------------------------------- */

/* Each allocation fails once: nothing changed; with none failing it succeeds. */
START_TEST(no_memory)
{
	struct ink_spage *s;
	u64 n;
	int err;

	if (_i == 2)
		make(INK_CLOAKED);
	for (n = 1; n < 100; n++) {
		GByteArray *before = snapshot(g);

		fail_allocation(n, 1);
		if (_i == 0)
			err = absent_bind_clean(hap, SER_DATA, INDEX, GFN, &s);
		else if (_i == 1)
			err = absent_load_dirty(hap, SER_DATA, INDEX, GFN, &s);
		else
			err = cloaked_open_clean(page(), GFN);
		if (!env.failed) {
			g_byte_array_free(before, true);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
		unchanged(g, before);
		guest_check(g);
	}
	fail_allocation(0, 0);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_gt(n, 2);
	expect(_i == 1 ? INK_DIRTY : INK_CLEAN);
}
END_TEST

START_TEST(guest_read_fails)
{
	struct ink_spage *s;

	fail_guest(g, 1, 1);
	REFUSED(g, -EFAULT, absent_load_dirty(hap, SER_DATA, INDEX, GFN, &s));
	fail_guest(g, 0, 0);
	expect(ABSENT);
	make(INK_CLOAKED);
	fail_guest(g, 1, 1);
	REFUSED(g, -EFAULT, cloaked_open_clean(page(), GFN));
	fail_guest(g, 0, 0);
	expect(INK_CLOAKED);
}
END_TEST

/* The slot vanished under a dirty page: its content is lost, and no older one is taken for it. */
START_TEST(seal_cannot_write)
{
	u8 older[PAGE];

	make(INK_CLEAN);
	memcpy(older, slot_page(g, GFN), PAGE);
	clean_write_dirty(page());
	secret_fill(page()->frame, NAME + 1);
	fail_guest(g, 1, 1);
	ink_gfn_touch(&g->vm, GFN);
	fail_guest(g, 0, 0);
	expect(INK_CLOAKED);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(), GFN));
	k_write(g, GFN, older);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(), GFN));
}
END_TEST

/* The host's cipher fails: the content is lost, nothing of it gets out, nothing is taken for it. */
START_TEST(seal_fails)
{
	u8 older[PAGE];

	make(INK_CLEAN);
	memcpy(older, slot_page(g, GFN), PAGE);
	clean_write_dirty(page());
	secret_fill(page()->frame, NAME + 1);
	g->seal_fails = true;
	ink_gfn_touch(&g->vm, GFN);
	g->seal_fails = false;
	expect(INK_CLOAKED);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(), GFN));
	k_write(g, GFN, older);
	REFUSED(g, -EBADMSG, cloaked_open_clean(page(), GFN));
}
END_TEST

/* --- limits ----------------------------------------------------------------------------------------- */

static struct kvm_inktag_limits tight;

START_TEST(frames_limit)
{
	struct ink_spage *s;
	u64 i, n;

	tight = roomy;
	tight.frames = g->vm.frames + 5;
	g->vm.limits = tight;
	for (i = 0; i < 5; i++)
		make_dirty(hap, SER_DATA, 200 + i, GFN + 20 + i, i);
	ck_assert_uint_eq(g->vm.frames, tight.frames);
	REFUSED(g, -ENOSPC, absent_bind_clean(hap, SER_DATA, INDEX, GFN, &s));
	REFUSED(g, -ENOSPC, absent_load_dirty(hap, SER_DATA, INDEX, GFN, &s));
	n = g->vm.frames;
	k_page(g, GFN + 20);			/* cloaking gives a frame back */
	ck_assert_uint_eq(g->vm.frames, n - 1);
	make(INK_DIRTY);
	REFUSED(g, -ENOSPC, cloaked_open_clean(SPAGE(hap, SER_DATA, 200), GFN + 20));
	k_page(g, GFN);
	ck_assert_int_eq(cloaked_open_clean(SPAGE(hap, SER_DATA, 200), GFN + 20), 0);
	REFUSED(g, -ENOSPC, cloaked_open_clean(page(), GFN));
	expect(INK_CLOAKED);
}
END_TEST

/* Cloaked pages cost records, and those are bounded, too. */
START_TEST(records_limit)
{
	struct ink_spage *s;
	u64 i;
	int err = 0;

	tight = roomy;
	tight.frames = 16;
	g->vm.limits = tight;
	for (i = 0; i < 1000 && !err; i++) {
		err = absent_bind_clean(hap, SER_DATA, 200 + i, GFN, &s);
		if (!err)
			k_page(g, GFN);
	}
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_uint_le(g->vm.records, INK_RECORDS(&tight));
	REFUSED(g, -ENOSPC, absent_bind_clean(hap, SER_DATA, 5000, GFN, &s));
	REFUSED(g, -ENOSPC, absent_load_dirty(hap, SER_DATA, 5000, GFN, &s));
	ck_assert_uint_eq(ink_object_drop(hap, SER_DATA, 200, INKTAG_INDEX_END), i - 1);
	ck_assert_int_eq(absent_bind_clean(hap, SER_DATA, 5000, GFN, &s), 0);
	guest_check(g);
}
END_TEST

/* --- drop ------------------------------------------------------------------------------------------- */

static const struct {
	u64 index, count, dropped;
} drops[] = {
	{ 0, 0, 0 }, { INDEX, 0, 0 }, { INDEX, 1, 1 }, { INDEX, 3, 3 }, { INDEX + 2, 1, 1 },
	{ INDEX + 3, 1, 0 }, { 0, INDEX, 0 }, { 0, INDEX + 1, 1 }, { 0, INKTAG_INDEX_END, 3 },
	{ INDEX + 1, U64_MAX - INDEX, 2 }, { INDEX + 1, U64_MAX, 0 }, { U64_MAX, 2, 0 },
	{ 0, U64_MAX, 3 }, { U64_MAX, U64_MAX, 0 },
};

START_TEST(drop_ranges)
{
	u64 before, i;

	before = g->vm.records;
	make(INK_DIRTY);
	make_dirty(hap, SER_DATA, INDEX + 1, FREE, 1);
	k_page(g, FREE);
	make_dirty(hap, SER_DATA, INDEX + 2, FREE, 1);
	ck_assert_uint_eq(ink_object_drop(hap, SER_DATA, drops[_i].index, drops[_i].count),
			  drops[_i].dropped);
	guest_check(g);
	for (i = INDEX; i < INDEX + 3; i++)
		ck_assert_int_eq(!SPAGE(hap, SER_DATA, i),
				 i >= drops[_i].index && i - drops[_i].index < drops[_i].count &&
				 drops[_i].dropped);
	ink_object_drop(hap, SER_DATA, 0, INKTAG_INDEX_END);
	ck_assert_uint_eq(g->vm.records, before);
}
END_TEST

/* Given up and then touched: a release. Nothing is encrypted, the slot page is as it was. */
START_TEST(drop_then_touch)
{
	u8 before[PAGE];
	u64 seals;

	make(_i);
	memcpy(before, slot_page(g, GFN), PAGE);
	seals = g->seals;
	any_drop_absent(hap, SER_DATA, INDEX);
	expect(ABSENT);
	k_page(g, GFN);
	ck_assert_uint_eq(g->seals, seals);
	ck_assert_mem_eq(slot_page(g, GFN), before, PAGE);
	make(INK_DIRTY);	/* reads zeros: make_dirty() looks */
}
END_TEST

/* --- the checker ------------------------------------------------------------------------------------ */

/*
 * vm_is_valid() notices each single wrong value. One field at a time is set to another value
 * and back; PAGE_VA maps the page under test.
 */
#define PAGE_VA	(DATA_VA + (INDEX - 100) * PAGE)

static struct ink_object *object(void)
{
	return ink_map_get(&hap->objects, SER_DATA);
}

static u64 *leaf(u64 va)
{
	u64 *table = hap->root;
	int shift;

	for (shift = 39; shift > 12; shift -= 9)
		table = ink_page_va(table[va >> shift & 511] & 0xffffffffff000);
	return &table[va >> 12 & 511];
}

#define WRONG(field, value) do {						\
	__typeof__(field) _old = (field);					\
	(field) = (value);							\
	ck_assert_msg(!vm_is_valid(&g->vm), "not noticed: " #field " = " #value);	\
	(field) = _old;								\
	ck_assert(vm_is_valid(&g->vm));					\
} while (0)

START_TEST(checker)
{
	struct ink_mapping again = { hap, PAGE_VA };
	struct ink_object *empty;
	struct ink_hint hint;
	struct ink_spage *s;

	WRONG(hap->state, INK_ENDED);		/* with nothing mapped */
	hap_write(g, 0, PAGE_VA, GFN, T_DATA, NAME);
	hap_access_at(g, 0, RWX_VA, INK_READ, FREE, T_RWX);
	s = page();

	WRONG(s->vm, NULL);
	WRONG(s->refs, 0);
	WRONG(s->refs, 2);
	WRONG(s->state, 0);
	WRONG(s->state, 7);
	WRONG(s->state, INK_CLEAN);		/* and mapped writable */
	WRONG(s->state, INK_CLOAKED);
	WRONG(s->gfn, FREE);
	WRONG(s->gfn, TAKEN);
	WRONG(s->frame, NULL);
	WRONG(s->frame, other->frame);
	WRONG(s->map.hap, NULL);
	WRONG(s->map.va, 0);
	WRONG(s->map.va, PAGE_VA + PAGE);
	WRONG(s->map.va, RWX_VA);
	WRONG(s->map.next, &again);
	WRONG(object()->nr_pages, 0);
	WRONG(object()->nr_pages, 2);
	WRONG(*leaf(PAGE_VA), 0);
	WRONG(*leaf(PAGE_VA), *leaf(RWX_VA));
	WRONG(*leaf(RWX_VA), *leaf(PAGE_VA));
	WRONG(*leaf(RWX_VA), *leaf(RWX_VA) | 2);	/* zeros, writable */
	WRONG(*leaf(PAGE_VA + PAGE), *leaf(RWX_VA));	/* V4 */
	WRONG(hap->id, 77);
	WRONG(g->vm.nr_haps, 0);
	WRONG(g->vm.nr_held, g->vm.nr_held + 1);
	WRONG(g->vm.frames, g->vm.frames - 1);
	WRONG(g->vm.records, g->vm.records + 1);
	WRONG(g->vm.limits.frames, g->vm.frames - 1);
	WRONG(g->vm.limits.frames, g->vm.records / 4 - 1);

	ck_assert_int_eq(ink_map_set(&g->vm.held, FREE, s), 0);
	ck_assert(!vm_is_valid(&g->vm));
	ink_map_del(&g->vm.held, FREE);
	ck_assert_int_eq(ink_map_set(&g->vm.held, GFN, other), 0);
	ck_assert(!vm_is_valid(&g->vm));
	ck_assert_int_eq(ink_map_set(&g->vm.held, GFN, s), 0);

	/* the hint of a mapped page names another frame, past the functions that take the mapping along */
	ck_assert(ink_hint_get(hap, PAGE_VA, &hint));
	{
		void *packed = ink_map_get(&hap->hints, PAGE_VA >> 12);

		ck_assert_int_eq(ink_map_set(&hap->hints, PAGE_VA >> 12,
					     ink_map_value(ink_map_number(packed) + 1)), 0);
		ck_assert(!vm_is_valid(&g->vm));
		ck_assert_int_eq(ink_map_set(&hap->hints, PAGE_VA >> 12, packed), 0);
	}

	empty = ink_zalloc(sizeof(*empty));
	g->vm.records++;
	ck_assert_int_eq(ink_map_set(&hap->objects, 999, empty), 0);
	ck_assert(!vm_is_valid(&g->vm));
	ink_map_del(&hap->objects, 999);
	g->vm.records--;
	ink_free(empty);

	/* held, but mapped nowhere */
	ink_pt_clear(hap, PAGE_VA);
	ink_hap_flush(hap);
	WRONG(s->vm, NULL);
	WRONG(s->refs, 0);
	WRONG(s->refs, 2);
	WRONG(s->gfn, FREE);
	WRONG(s->gfn, TAKEN);
	WRONG(s->map, again);
	WRONG(s->map.next, &again);
	WRONG(s->state, INK_CLOAKED);
	WRONG(s->frame, NULL);

	ink_gfn_touch(&g->vm, GFN);
	WRONG(s->vm, NULL);
	WRONG(s->refs, 0);
	WRONG(s->refs, 2);
	WRONG(s->frame, other->frame);
	WRONG(s->map, again);
	WRONG(s->map.next, &again);
	WRONG(s->state, INK_DIRTY);
	WRONG(s->state, INK_CLEAN);
}
END_TEST

Suite *suite_spage(void)
{
	Suite *s = suite_create("spage");
	TCase *tc = unit_case("spage");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, transition, 0, ARRAY_SIZE(moves));
	tcase_add_test(tc, round_trip);
	tcase_add_loop_test(tc, bad_frame, 0, ARRAY_SIZE(frames));
	tcase_add_test(tc, frame_beyond_hints);
	tcase_add_test(tc, other_frame);
	tcase_add_test(tc, never_written);
	tcase_add_test(tc, is_held_ranges);
	tcase_add_loop_test(tc, bad_content, 0, NR_OFFERS);
	tcase_add_loop_test(tc, bound_to_identity, 0, 2);
	tcase_add_test(tc, device_writes);
	tcase_add_test(tc, load_races);
	tcase_add_test(tc, open_reads_once);
	tcase_add_loop_test(tc, no_memory, 0, 3);
	tcase_add_test(tc, guest_read_fails);
	tcase_add_test(tc, seal_cannot_write);
	tcase_add_test(tc, seal_fails);
	tcase_add_test(tc, frames_limit);
	tcase_add_test(tc, records_limit);
	tcase_add_loop_test(tc, drop_ranges, 0, ARRAY_SIZE(drops));
	tcase_add_loop_test(tc, drop_then_touch, INK_DIRTY, INK_CLOAKED + 1);
	tcase_add_test(tc, checker);
	suite_add_tcase(s, tc);
	return s;
}
