// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptors: each field's range; reading them from the HAP's memory. */
#include "unit.h"

#define PAGES_END	(INKTAG_USER_END >> INKTAG_PAGE_SHIFT)
#define TOP		(INKTAG_USER_END - PAGE)

static struct guest *g;
static struct ink_hap *hap;

static void setup(void)
{
	g = guest_new(&roomy);
	hap = hap_launch(g, 0);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

/* { addr, npages, oid, index, prot, kind, flags, prev, next, reserved } */
#define P INKTAG_KIND_PRIVATE
#define U INKTAG_KIND_UNCLOAKED

static const struct {
	bool valid;
	struct inktag_desc d;
} rows[] = {
	{ true,  { 0x1000, 1, { 1, 0 }, 0, 3, P } },
	{ true,  { 0x2000, 1, { 1, 0 }, 0, 0, P } },
	{ true,  { 0x1000, 1, { INKTAG_SERIAL_END - 1, 0 }, 0, 7, P } },
	{ true,  { TOP, 1, { 1, 0 }, 0, 3, P } },
	{ true,  { 0x1000, PAGES_END - 1, { 1, 0 }, 0, 3, P } },
	{ true,  { 0x1000, 1, { 1, 0 }, INKTAG_INDEX_END - 1, 3, P } },
	{ true,  { 0x1000, 2, { 1, 0 }, INKTAG_INDEX_END - 2, 3, P } },
	{ true,  { 0x1000, 1, { 1, 0 }, 0, 3, P, 0, 77, INKTAG_TOKEN_NONE } },
	{ true,  { 0x1000, 1, { 0, 0 }, 0, 3, U } },
	{ true,  { 0x1000, 1, { 0, 0 }, 0, 1, U } },
	/* addresses */
	{ false, { 0, 1, { 1, 0 }, 0, 3, P } },		/* V3: "not mapped" */
	{ false, { 0, 1, { 0, 0 }, 0, 3, U } },
	{ false, { 0, PAGES_END, { 1, 0 }, 0, 3, P } },
	{ false, { 0x1001, 1, { 1, 0 }, 0, 3, P } },
	{ false, { 0x1800, 1, { 1, 0 }, 0, 3, P } },
	{ false, { INKTAG_USER_END, 1, { 1, 0 }, 0, 3, P } },
	{ false, { 1ULL << 47, 1, { 1, 0 }, 0, 3, P } },
	{ false, { 0xffff800000000000, 1, { 1, 0 }, 0, 3, P } },
	{ false, { ~0xfffULL, 1, { 1, 0 }, 0, 3, P } },
	{ false, { 0x1000, 0, { 1, 0 }, 0, 3, P } },
	{ false, { TOP, 2, { 1, 0 }, 0, 3, P } },
	{ false, { 0x1000, PAGES_END, { 1, 0 }, 0, 3, P } },
	{ false, { 0, PAGES_END + 1, { 1, 0 }, 0, 3, P } },
	{ false, { 0x1000, U64_MAX, { 1, 0 }, 0, 3, P } },
	{ false, { 0x1000, 1ULL << 52, { 1, 0 }, 0, 3, P } },	/* bytes wrap to 0 */
	{ false, { 0x1000, (1ULL << 52) + 1, { 1, 0 }, 0, 3, P } },
	{ false, { TOP, 0xfffff80000000002, { 1, 0 }, 0, 3, P } },
	/* index */
	{ false, { 0x1000, 1, { 1, 0 }, INKTAG_INDEX_END, 3, P } },
	{ false, { 0x1000, 2, { 1, 0 }, INKTAG_INDEX_END - 1, 3, P } },
	{ false, { 0x1000, 1, { 1, 0 }, U64_MAX, 3, P } },
	{ false, { 0x1000, 2, { 1, 0 }, U64_MAX, 3, P } },
	/* rights, kinds, names */
	{ false, { 0x1000, 1, { 1, 0 }, 0, 8, P } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 0x80000003, P } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 3, INKTAG_KIND_NONE } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 3, INKTAG_KIND_SHARED } },
	{ true, { 0x1000, 1, { 1, 0 }, 0, 3, INKTAG_KIND_FILE } },
	{ false, { 0x1000, 1, { 0, 0 }, 0, 3, INKTAG_KIND_FILE } },
	{ false, { 0x1000, 1, { 1, 1 }, 0, 3, INKTAG_KIND_FILE } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 3, INKTAG_KIND_COUNT } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 3, 0xffff } },
	{ false, { 0x1000, 1, { 0, 0 }, 0, 3, P } },		/* the array's own name */
	{ false, { 0x1000, 1, { INKTAG_SERIAL_END, 0 }, 0, 3, P } },
	{ false, { 0x1000, 1, { U64_MAX, 0 }, 0, 3, P } },
	{ false, { 0x1000, 1, { 1, 1 }, 0, 3, P } },
	{ false, { 0x1000, 1, { 0, 1 }, 0, 3, P } },
	{ false, { 0x1000, 1, { 0, 0 }, 0, 7, U } },
	{ false, { 0x1000, 1, { 0, 0 }, 0, 4, U } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 3, U } },
	{ false, { 0x1000, 1, { 0, 1 }, 0, 3, U } },
	{ false, { 0x1000, 1, { 0, 0 }, 1, 3, U } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 3, P, 1 } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 3, P, 0x8000 } },
	{ false, { 0x1000, 1, { 1, 0 }, 0, 3, P, 0, 0, 0, 1 } },
	{ false, { 0 } },
};

START_TEST(validity)
{
	ck_assert_int_eq(inktag_desc_is_valid(&rows[_i].d), rows[_i].valid);
}
END_TEST

/* The same rules again, in arithmetic that cannot overflow. */
static bool naive(const struct inktag_desc *d)
{
	unsigned __int128 end = (unsigned __int128)d->addr + (unsigned __int128)d->npages * PAGE;
	unsigned __int128 index = (unsigned __int128)d->index + d->npages;
	bool ok = d->addr && d->addr % PAGE == 0 && d->npages > 0 && end <= INKTAG_USER_END &&
		  index <= INKTAG_INDEX_END && d->prot <= 7 && d->flags == 0 && d->reserved == 0;

	if (d->kind == INKTAG_KIND_PRIVATE || d->kind == INKTAG_KIND_FILE)
		return ok && d->oid[0] != 0 && d->oid[0] >> 32 == 0 && d->oid[1] == 0;
	return ok && d->kind == INKTAG_KIND_UNCLOAKED && d->prot < 4 && !d->oid[0] && !d->oid[1] && !d->index;
}

/* Random bytes, and random changes of valid descriptors, which pass more of the checks. */
START_TEST(random_bytes)
{
	GRand *rand = g_rand_new_with_seed(seed);
	u32 i, valid = 0;

	for (i = 0; i < 400000; i++) {
		struct inktag_desc d = rows[g_rand_int_range(rand, 0, ARRAY_SIZE(rows))].d;
		u8 *bytes = (u8 *)&d;
		u32 n;

		if (i % 4 == 0)
			for (n = 0; n < sizeof(d); n++)
				bytes[n] = g_rand_int(rand);
		for (n = g_rand_int_range(rand, 0, 3); n--; )
			bytes[g_rand_int_range(rand, 0, sizeof(d))] ^= 1 << g_rand_int_range(rand, 0, 8);
		must_be(inktag_desc_is_valid(&d) == naive(&d));
		valid += naive(&d);
	}
	ck_assert_uint_gt(valid, 1000);
	g_rand_free(rand);
}
END_TEST

/* --- reading them ------------------------------------------------------------------------------ */

/* The HAP writes a descriptor; its array page is in plaintext afterwards. */
static void fill(u32 token, const struct inktag_desc *d)
{
	u64 va = INKTAG_DESC_BASE + token * sizeof(*d);
	u64 page = (va - INKTAG_DESC_BASE) / PAGE;
	struct access a = hap_access_at(g, 0, va, INK_WRITE, page ? FIRST_GFN + page : ARRAY_GFN,
					T_ARRAY);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	memcpy(a.page + va % PAGE, d, sizeof(*d));
}

START_TEST(get_present)
{
	struct inktag_desc d;
	u64 array_va;

	ck_assert_int_eq(ink_desc_get(hap, T_DATA, &d, &array_va), 0);
	ck_assert_mem_eq(&d, &descs[T_DATA], sizeof(d));
	REFUSED(g, -ENOENT, ink_desc_get(hap, T_FREE, &d, &array_va));
}
END_TEST

/* Entry 0 is the hypervisor's, whatever stands in memory, and even if nothing does. */
START_TEST(get_array)
{
	struct inktag_desc d, evil = { 0x1000, 1, { 9, 0 }, 0, 7, P };
	u64 array_va;

	if (_i == 1)
		fill(0, &evil);
	if (_i == 2)
		k_page(g, ARRAY_GFN);
	ck_assert_int_eq(ink_desc_get(hap, INKTAG_TOKEN_ARRAY, &d, &array_va), 0);
	ck_assert_uint_eq(d.addr, INKTAG_DESC_BASE);
	ck_assert_uint_eq(d.npages * PAGE, INKTAG_DESC_MAX * sizeof(d));
	ck_assert_uint_eq(d.oid[0], 0);
	ck_assert_uint_eq(d.oid[1], 0);
	ck_assert_uint_eq(d.index, 0);
	ck_assert_uint_eq(d.prot, INKTAG_PROT_READ | INKTAG_PROT_WRITE);
	ck_assert_uint_eq(d.kind, INKTAG_KIND_PRIVATE);
}
END_TEST

static const u32 no_tokens[] = {
	64,			/* its array page was never written */
	255, 256, 257,		/* around the limit of this VM */
	INKTAG_DESC_MAX - 1, INKTAG_DESC_MAX, INKTAG_DESC_MAX + 1,
	1U << 26,		/* times 64 wraps 32 bits */
	(1U << 26) + T_DATA, INKTAG_TOKEN_NONE, INKTAG_TOKEN_NONE - 1,
};

START_TEST(get_none)
{
	struct inktag_desc d;
	u64 array_va;

	REFUSED(g, -ENOENT, ink_desc_get(hap, no_tokens[_i], &d, &array_va));
}
END_TEST

START_TEST(get_at_the_limit)
{
	struct inktag_desc d, good = { 0x1000, 1, { 9, 0 }, 0, 3, P };
	u64 array_va;

	fill(255, &good);
	fill(256, &good);	/* may be written; is not read */
	ck_assert_int_eq(ink_desc_get(hap, 255, &d, &array_va), 0);
	ck_assert_mem_eq(&d, &good, sizeof(d));
	REFUSED(g, -ENOENT, ink_desc_get(hap, 256, &d, &array_va));
}
END_TEST

START_TEST(get_invalid)
{
	struct inktag_desc d;
	u64 array_va;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		fill(20, &rows[i].d);
		ck_assert_int_eq(ink_desc_get(hap, 20, &d, &array_va), rows[i].valid ? 0 : -ENOENT);
	}
}
END_TEST

START_TEST(get_cloaked)
{
	struct inktag_desc d, good = { 0x1000, 1, { 9, 0 }, 0, 3, P };
	u64 array_va = 0;

	fill(130, &good);
	k_page(g, FIRST_GFN + 2);
	ck_assert_int_eq(ink_desc_get(hap, T_DATA, &d, &array_va), 0);
	REFUSED(g, -EAGAIN, ink_desc_get(hap, 130, &d, &array_va));
	ck_assert_uint_eq(array_va, INKTAG_DESC_BASE + 2 * PAGE);
	/* opened, but clean: is read as well */
	ck_assert_int_eq(cloaked_open_clean(SPAGE(hap, 0, 2), FIRST_GFN + 2), 0);
	ck_assert_int_eq(ink_desc_get(hap, 130, &d, &array_va), 0);
	ck_assert_mem_eq(&d, &good, sizeof(d));
}
END_TEST

Suite *suite_desc(void)
{
	Suite *s = suite_create("desc");
	TCase *tc = unit_case("desc");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, validity, 0, ARRAY_SIZE(rows));
	tcase_add_test(tc, random_bytes);
	tcase_add_test(tc, get_present);
	tcase_add_loop_test(tc, get_array, 0, 3);
	tcase_add_loop_test(tc, get_none, 0, ARRAY_SIZE(no_tokens));
	tcase_add_test(tc, get_at_the_limit);
	tcase_add_test(tc, get_invalid);
	tcase_add_test(tc, get_cloaked);
	suite_add_tcase(s, tc);
	return s;
}
