// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects that a fork shares: the processes have the same pages, before and after they are written to, whoever
 * writes, ends, gives up or comes later.
 */
#include "unit.h"

#define GFN	FIRST_GFN
#define FREE	(GFN + 1)
#define SPARE	(GFN + 4)
#define VA	RWX_VA		/* its object is the shared one */
#define INDEX	0
#define NAME	70

enum { PARENT, CHILD, GRANDCHILD, NR };

static struct guest *g;
static struct ink_hap *haps[NR];

static struct ink_object *object(u32 who)
{
	return ink_map_get(&haps[who]->objects, SER_RWX);
}

static struct ink_spage *page(u32 who)
{
	return SPAGE(haps[who], SER_RWX, INDEX);
}

static void setup(void)
{
	g = guest_new(&roomy);
	haps[PARENT] = hap_launch(g, 0);
	hap_write(g, 0, DATA_VA, GFN + 2, T_DATA, 1);
	ck_assert_int_eq(ink_object_share(haps[PARENT], SER_RWX), 0);
	guest_check(g);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

static void family(u32 n)
{
	u32 i;

	for (i = 1; i < n; i++) {
		haps[i] = hap_fork(g, i - 1, i);
		ck_assert_ptr_eq(object(i), object(0));
	}
	ck_assert_uint_eq(object(0)->refs, n);
}

static void at(u32 who, u64 gfn)
{
	k_hint(haps[who], VA, gfn, 7, T_RWX);
}

static void reads(u32 who, u64 name)
{
	hap_reads(g, who, VA, name);
	guest_check(g);
}

static void writes(u32 who, u64 gfn, u64 name)
{
	hap_write(g, who, VA, gfn, T_RWX, name);
	guest_check(g);
}

/* --- the call ------------------------------------------------------------------------------------------ */

static const struct {
	u64 serial;
	int err;
} serials[] = {
	{ 1000, 0 }, { INKTAG_SERIAL_END - 1, 0 }, { SER_OTHER, 0 }, { 0, -EINVAL }, { INKTAG_SERIAL_END, -EINVAL },
	{ U64_MAX, -EINVAL }, { 1ULL << 32 | 77, -EINVAL }, { SER_DATA, -EEXIST }, { SER_CODE, -EEXIST },
	{ SER_RWX, -EEXIST },
};

START_TEST(share)
{
	u64 records = g->vm.records;

	if (serials[_i].err) {
		REFUSED(g, serials[_i].err, ink_object_share(haps[PARENT], serials[_i].serial));
		return;
	}
	ck_assert_int_eq(ink_object_share(haps[PARENT], serials[_i].serial), 0);
	guest_check(g);
	ck_assert(ink_object_is_shared(haps[PARENT], serials[_i].serial));
	ck_assert(!ink_object_is_shared(haps[PARENT], SER_DATA));
	ck_assert_uint_eq(g->vm.records, records + 1);
	REFUSED(g, -EEXIST, ink_object_share(haps[PARENT], serials[_i].serial));
	ck_assert_int_eq(ink_object_leave(haps[PARENT], serials[_i].serial), 0);
	ck_assert_uint_eq(g->vm.records, records);
	ck_assert(!ink_object_is_shared(haps[PARENT], serials[_i].serial));
	REFUSED(g, -ENOENT, ink_object_leave(haps[PARENT], serials[_i].serial));
}
END_TEST

START_TEST(leave_of_none)
{
	static const u64 others[] = { 0, SER_DATA, SER_CODE, SER_OTHER, 999, INKTAG_SERIAL_END, U64_MAX };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		REFUSED(g, -ENOENT, ink_object_leave(haps[PARENT], others[i]));
}
END_TEST

START_TEST(share_without_memory)
{
	u64 n, failed, handle, last;
	int err;

	for (n = 1; n < 10; n++) {
		GByteArray *before = snapshot(g);

		fail_allocation(n, 1);
		err = ink_object_share(haps[PARENT], 1000);
		if (!env.failed) {
			g_byte_array_free(before, true);
			break;
		}
		ck_assert_int_eq(err, -ENOMEM);
		unchanged(g, before);
	}
	fail_allocation(0, 0);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_eq(n, 3);

	/* a fork that fails: the object has as many HAPs as before */
	at(PARENT, GFN);
	writes(PARENT, GFN, NAME);
	ink_hap_unmap(haps[PARENT], 0, INKTAG_UNMAP_MAX, 0, 0);
	for (n = 1; n < 50; n++) {
		GByteArray *before = snapshot(g);

		last = g->vm.last_hap;
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
	ck_assert_uint_eq(object(PARENT)->refs, 2);

	g->vm.limits.frames = g->vm.frames;
	while (g->vm.records < INK_RECORDS(&g->vm.limits))
		ck_assert_int_eq(ink_object_share(haps[PARENT], 5000 + g->vm.records), 0);
	REFUSED(g, -ENOSPC, ink_object_share(haps[PARENT], 4000));
	g->vm.limits = roomy;
}
END_TEST

/* --- the same pages for all ------------------------------------------------------------------------------- */

/* Written before the fork or after it, by either: all see it, at once, and on every vCPU. */
START_TEST(seen_by_all)
{
	u32 who, i, round = 0;

	if (_i & 1)
		writes(PARENT, GFN, NAME);
	family(NR);
	if (_i & 1)
		ck_assert_uint_eq(page(PARENT)->refs, 1);
	for (i = 0; i < NR; i++)
		at(i, GFN);
	if (_i == 0) {
		/* read first: the page of zeros would stay zeros */
		hap_reads_zero(g, CHILD, VA);
		hap_reads_zero(g, PARENT, VA);
		ck_assert_ptr_ne(hap_access(g, CHILD, VA, INK_READ).page, g->vm.zero);
	}
	for (who = 0; who < NR; who++) {
		writes(who, GFN, NAME + ++round);
		for (i = 0; i < NR; i++)
			reads(i, NAME + round);
		/* also in the same translation, without another fault */
		secret_fill(hap_access(g, who, VA, INK_WRITE).page, NAME + ++round);
		for (i = 0; i < NR; i++)
			reads(i, NAME + round);
	}
	ck_assert_ptr_eq(page(PARENT), page(GRANDCHILD));
	ck_assert_uint_eq(page(PARENT)->refs, 1);
	/* what is private is not */
	k_hint(haps[CHILD], DATA_VA, GFN + 2, 3, T_DATA);
	hap_reads(g, CHILD, DATA_VA, 1);
	ck_assert_int_eq(ink_hap_copy(&g->vm, haps[CHILD]->id, T_DATA, DATA_VA, GFN + 2, SPARE), 0);
	hap_write(g, CHILD, DATA_VA, SPARE, T_DATA, 2);
	hap_reads(g, PARENT, DATA_VA, 1);
	/* there is nothing to copy */
	REFUSED(g, -EINVAL, ink_hap_copy(&g->vm, haps[CHILD]->id, T_RWX, VA, GFN, SPARE + 1));
	guest_check_secrecy(g);
}
END_TEST

/* The other threads need not wait for a fork: nothing of it will be another's. */
START_TEST(not_stalled)
{
	u64 handle;

	writes(PARENT, GFN, NAME);
	hap_thread(g, 0, 1);
	ck_assert_int_eq(hap_clone(g, 0, true, &handle), 0);
	hap_write(g, 1, VA, GFN, T_RWX, NAME + 1);
	REFUSED(g, INK_ASK, hap_access(g, 1, DATA_VA, INK_WRITE).verdict);
	ck_assert_int_eq(cpu_resume(g, 2, handle, 0x77000, 1), 0);
	haps[CHILD] = g->cpu[2].hap;
	at(CHILD, GFN);
	hap_reads(g, 2, VA, NAME + 1);
	hap_write(g, 2, VA, GFN, T_RWX, NAME + 2);
	hap_reads(g, 1, VA, NAME + 2);
	guest_check(g);
}
END_TEST

/* Taken by the kernel once, for all; brought back anywhere, but to one place. */
START_TEST(swapped)
{
	u8 disk[PAGE], older[PAGE];
	u64 seals;

	family(2);
	writes(PARENT, GFN, NAME);
	at(CHILD, GFN);
	reads(CHILD, NAME);
	seals = g->seals;
	memcpy(older, k_page(g, GFN), PAGE);
	guest_check(g);
	ck_assert_uint_eq(g->seals, seals + 1);
	k_write(g, FREE, older);
	at(PARENT, FREE);
	at(CHILD, FREE);
	reads(CHILD, NAME);
	reads(PARENT, NAME);
	writes(CHILD, FREE, NAME + 1);
	reads(PARENT, NAME + 1);
	memcpy(disk, k_page(g, FREE), PAGE);
	ck_assert_mem_ne(disk, older, PAGE);
	ck_assert_uint_eq(g->seals, seals + 2);
	if (_i == 0) {		/* the older one, which was right once, for either */
		k_write(g, SPARE, older);
		at(PARENT, SPARE);
		ck_assert_int_eq(hap_access(g, PARENT, VA, INK_READ).verdict, INK_KILL);
		expect_violation(g, haps[PARENT]->id, INKTAG_CHECK_TAG, VA, SPARE, T_RWX);
		at(CHILD, FREE);
		reads(CHILD, NAME + 1);
		return;
	}
	/* two frames: while nobody writes, they are the same; then one of them would miss it */
	k_write(g, SPARE, disk);
	at(PARENT, SPARE);
	at(CHILD, FREE);
	reads(PARENT, NAME + 1);
	reads(CHILD, NAME + 1);
	reads(PARENT, NAME + 1);
	writes(PARENT, SPARE, NAME + 1);
	ck_assert_int_eq(hap_access(g, CHILD, VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, haps[CHILD]->id, INKTAG_CHECK_FRAME, VA, FREE, T_RWX);
	guest_check(g);
	reads(PARENT, NAME + 1);
}
END_TEST

/*
 * The kernel gives up a page of shared memory that was only read, and brings another one, of zeros; or it lies, and that
 * is of no use. Once the page was written to, zeros are not what it is.
 */
START_TEST(only_read)
{
	u8 junk[PAGE], zeros[PAGE] = { 0 };
	u64 seals = g->seals;

	family(2);
	at(PARENT, GFN);
	at(CHILD, GFN);
	hap_reads_zero(g, CHILD, VA);
	hap_reads_zero(g, PARENT, VA);
	memset(junk, 0x5a, PAGE);
	k_write(g, GFN, junk);
	k_write(g, FREE, _i ? junk : zeros);
	guest_check(g);
	at(CHILD, FREE);
	at(PARENT, FREE);
	hap_reads_zero(g, PARENT, VA);
	hap_reads_zero(g, CHILD, VA);
	ck_assert_uint_eq(g->seals, seals);
	writes(CHILD, FREE, NAME);
	reads(PARENT, NAME);
	k_page(g, FREE);
	ck_assert_uint_eq(g->seals, seals + 1);
	expect_no_violation(g);
	k_write(g, SPARE, zeros);
	at(PARENT, SPARE);
	ck_assert_int_eq(hap_access(g, PARENT, VA, INK_READ).verdict, INK_KILL);
	expect_violation(g, haps[PARENT]->id, INKTAG_CHECK_TAG, VA, SPARE, T_RWX);
	guest_check(g);
}
END_TEST

/* Dropping has no effect; giving up takes it from the one alone; the last one takes the pages along. */
static const u32 orders[][NR] = {
	{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
};

START_TEST(given_up)
{
	const u32 *order = orders[_i % ARRAY_SIZE(orders)];
	bool ends = _i / ARRAY_SIZE(orders);
	u32 i, n;

	family(NR);
	writes(PARENT, GFN, NAME);
	for (i = 0; i < NR; i++) {
		at(i, GFN);
		reads(i, NAME);
		ck_assert_int_eq(hap_access(g, i, VA, INK_WRITE).verdict, INK_MAPPED);
	}
	REFUSED(g, 0, ink_object_drop(haps[CHILD], SER_RWX, 0, INKTAG_INDEX_END));
	ck_assert_int_eq(ink_hap_unmap(haps[CHILD], VA, 1, SER_RWX, 0), 0);
	guest_check(g);
	ck_assert_uint_eq(ink_pt_get(haps[CHILD], VA), 0);
	reads(CHILD, NAME);
	reads(PARENT, NAME);
	for (n = 0; n < NR; n++) {
		u32 who = order[n];

		if (ends)
			hap_kill(g, haps[who]);
		else
			ck_assert_int_eq(ink_object_leave(haps[who], SER_RWX), 0);
		guest_check(g);
		ck_assert_int_eq(ink_gfn_is_held(&g->vm, GFN, 1), n < NR - 1);
		if (!ends) {
			ck_assert_uint_eq(ink_pt_get(haps[who], VA), 0);
			ck_assert_ptr_null(page(who));
			/* the name is free, for something else */
			at(who, SPARE + who);
			hap_reads_zero(g, who, VA);
			writes(who, SPARE + who, who);
		}
		for (i = n + 1; i < NR; i++) {
			reads(order[i], NAME + n);
			writes(order[i], GFN, NAME + n);
		}
		if (n < NR - 1)
			writes(order[n + 1], GFN, NAME + n + 1);
	}
	if (ends) {
		ck_assert_uint_eq(g->vm.frames, 0);
		ck_assert_uint_eq(g->vm.records, 0);
	}
	guest_check_secrecy(g);
}
END_TEST

/* A child that never starts has it, too, and gives it up. */
START_TEST(never_started)
{
	u64 handle, maker = g->cpu[0].thread->handle, cr3 = haps[PARENT]->cr3;

	writes(PARENT, GFN, NAME);
	ck_assert_int_eq(hap_clone(g, 0, true, &handle), 0);
	guest_check(g);
	ck_assert_uint_eq(object(PARENT)->refs, 2);
	if (_i) {
		ck_assert_int_eq(cpu_resume(g, 0, maker, cr3, -11), 0);
		guest_check(g);
		ck_assert_uint_eq(object(PARENT)->refs, 1);
		reads(PARENT, NAME);
	} else {
		hap_kill(g, haps[PARENT]);
		guest_check(g);
		ck_assert_uint_eq(g->vm.frames, 0);
	}
}
END_TEST

/* The kernel takes the frame back while the page is bound to it: the object is there still, and empty. */
static bool reported;

static void reporter(struct guest *guest, u64 gfn, bool after)
{
	if (reported || !after || gfn != GFN)
		return;
	reported = true;
	k_report(guest, 2, 1000000, haps[CHILD]->id, INKTAG_RING_UNMAP, VA, 0, 1, 0);
}

START_TEST(mind_changed)
{
	family(2);
	k_ring(g, 2);
	at(CHILD, GFN);
	g->race = reporter;
	ck_assert_int_eq(hap_access(g, CHILD, VA, _i ? INK_WRITE : INK_READ).verdict, INK_ASK);
	g->race = NULL;
	ck_assert(reported);
	guest_check(g);
	ck_assert_ptr_null(page(PARENT));
	ck_assert(ink_object_is_shared(haps[PARENT], SER_RWX));
	ck_assert(ink_object_is_shared(haps[CHILD], SER_RWX));
	writes(PARENT, GFN, NAME);
	at(CHILD, GFN);
	reads(CHILD, NAME);
}
END_TEST

/* vm_is_valid() notices a wrong count, and an object that only says that it is private. */
#define WRONG(field, value) do {						\
	__typeof__(field) _old = (field);					\
	(field) = (value);							\
	ck_assert_msg(!vm_is_valid(&g->vm), "not noticed: " #field " = " #value);	\
	(field) = _old;								\
	ck_assert(vm_is_valid(&g->vm));					\
} while (0)

START_TEST(checker)
{
	family(2);
	WRONG(object(PARENT)->refs, 1);
	WRONG(object(PARENT)->refs, 3);
	WRONG(object(PARENT)->shared, false);
	WRONG(object(PARENT)->nr_pages, 1);
	writes(PARENT, GFN, NAME);
	at(CHILD, GFN);
	reads(CHILD, NAME);
	WRONG(object(PARENT)->refs, 1);
	WRONG(object(PARENT)->shared, false);
	WRONG(object(PARENT)->nr_pages, 0);
	WRONG(page(PARENT)->refs, 2);
	WRONG(page(PARENT)->map.next, NULL);
	ck_assert_int_eq(ink_object_leave(haps[CHILD], SER_RWX), 0);
	WRONG(object(PARENT)->refs, 0);
	WRONG(object(PARENT)->refs, 2);
}
END_TEST

Suite *suite_object(void)
{
	Suite *s = suite_create("object");
	TCase *tc = unit_case("object");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, share, 0, ARRAY_SIZE(serials));
	tcase_add_test(tc, leave_of_none);
	tcase_add_test(tc, share_without_memory);
	tcase_add_loop_test(tc, seen_by_all, 0, 3);
	tcase_add_loop_test(tc, only_read, 0, 2);
	tcase_add_test(tc, not_stalled);
	tcase_add_loop_test(tc, swapped, 0, 2);
	tcase_add_loop_test(tc, given_up, 0, 2 * ARRAY_SIZE(orders));
	tcase_add_loop_test(tc, never_started, 0, 2);
	tcase_add_loop_test(tc, mind_changed, 0, 2);
	tcase_add_test(tc, checker);
	suite_add_tcase(s, tc);
	return s;
}
