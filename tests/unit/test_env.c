// SPDX-License-Identifier: GPL-2.0-or-later
/* The surroundings themselves: a test that cannot notice anything would be worth nothing. */
#include "unit.h"

static struct guest *g;

static void setup(void)
{
	g = guest_new(&roomy);
}

static void teardown(void)
{
	guest_free(g);
	nothing_leaked();
}

/* The map against a plain array. */
START_TEST(map_against_array)
{
	static void *plain[64];
	struct ink_map map;
	u64 x = seed, i, key, n;
	void *p;

	ink_map_init(&map);
	for (i = 0; i < 5000; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		key = x >> 58;
		if (x >> 32 & 1) {
			plain[key] = ink_map_value(i);
			ck_assert_int_eq(ink_map_set(&map, key, plain[key]), 0);
		} else {
			plain[key] = NULL;
			ink_map_del(&map, key);
		}
		key = x >> 40 & 63;
		ck_assert_ptr_eq(ink_map_get(&map, key), plain[key]);
		for (n = key; n < 64 && !plain[n]; n++)
			;
		p = ink_map_next(&map, &key, 63);
		ck_assert_ptr_eq(p, n < 64 ? plain[n] : NULL);
		if (p)
			ck_assert_uint_eq(key, n);
	}
	ink_map_destroy(&map);
}
END_TEST

START_TEST(map_fails_on_demand)
{
	struct ink_map map;
	int a, b;

	ink_map_init(&map);
	fail_allocation(1, 1);
	ck_assert_int_eq(ink_map_set(&map, U64_MAX, &a), -ENOMEM);
	ck_assert_ptr_null(ink_map_get(&map, U64_MAX));
	ck_assert_int_eq(ink_map_set(&map, U64_MAX, &a), 0);
	fail_allocation(1, 100);
	ck_assert_int_eq(ink_map_set(&map, U64_MAX, &b), 0);
	ck_assert_ptr_eq(ink_map_get(&map, U64_MAX), &b);
	fail_allocation(0, 0);
	ink_map_del(&map, U64_MAX);
}
END_TEST

START_TEST(crypto)
{
	struct ink_seal_id id = { { 1, 2 }, 3, 4, 0 }, wrong;
	u8 in[PAGE], out[PAGE], back[PAGE], tag[INK_TAG_SIZE];
	u32 i;

	secret_fill(in, 9);
	ck_assert_int_eq(ink_seal(&g->vm, NULL, &id, in, out, tag), 0);
	ck_assert(!has_secret(out, PAGE));
	ck_assert_int_eq(ink_unseal(&g->vm, NULL, &id, out, back, tag), 0);
	ck_assert_mem_eq(in, back, PAGE);
	for (i = 0; i < 4; i++) {
		wrong = id;
		((u64 *)&wrong)[i]++;
		ck_assert_int_eq(ink_unseal(&g->vm, NULL, &wrong, out, back, tag), -EBADMSG);
		ck_assert(is_zero(back, PAGE));
	}
}
END_TEST

START_TEST(sha256)
{
	/* FIPS 180-4, of "abc" */
	static const u8 want[32] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
		0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
		0x15, 0xad,
	};
	struct ink_hash *hash = ink_hash_new();
	u8 out[32];

	ink_hash_update(hash, "a", 1);
	ink_hash_update(hash, "bc", 2);
	ink_hash_final(hash, out);
	ck_assert_mem_eq(out, want, 32);
	ink_hash_free(hash);
}
END_TEST

START_TEST(guest_memory)
{
	u64 last = (u64)(GFN_END - 1) << INKTAG_PAGE_SHIFT;
	u8 buf[64];

	ck_assert_int_eq(ink_guest_read(&g->vm, last + PAGE - 64, buf, 64), 0);
	ck_assert_int_eq(ink_guest_read(&g->vm, last + PAGE - 63, buf, 64), -EFAULT);
	ck_assert_int_eq(ink_guest_write(&g->vm, last + PAGE - 63, buf, 64), -EFAULT);
	ck_assert_int_eq(ink_guest_read(&g->vm, 0, buf, 64), -EFAULT);
	ck_assert_int_eq(ink_guest_read(&g->vm, U64_MAX - 3, buf, 64), -EFAULT);
	g->absent[5] = true;
	ck_assert_int_eq(ink_guest_read(&g->vm, ((GFN_BASE + 5ULL) << 12) - 1, buf, 2), -EFAULT);
	ck_assert(!ink_guest_has(&g->vm, GFN_BASE + 5));
	ck_assert(ink_guest_has(&g->vm, GFN_BASE + 6));
}
END_TEST

/* The vCPU's cache is real: what it has, it uses until it is flushed. */
START_TEST(tlb_remembers)
{
	struct ink_hap *hap = hap_launch(g, 0);
	struct access a;
	void *first;

	hap_write(g, 0, DATA_VA, FIRST_GFN, T_DATA, 1);
	first = hap_access(g, 0, DATA_VA, INK_READ).page;
	ink_pt_clear(hap, DATA_VA);
	a = hap_access(g, 0, DATA_VA, INK_READ);
	ck_assert_ptr_eq(a.page, first);
	ck_assert_uint_eq(ink_pt_get(hap, DATA_VA), 0);
	ck_assert_uint_gt(g->cpu[0].tlb->len, 0);
	ink_hap_flush(hap);
	ck_assert_uint_eq(g->cpu[0].tlb->len, 0);
}
END_TEST

Suite *suite_env(void)
{
	Suite *s = suite_create("env");
	TCase *tc = unit_case("env");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, map_against_array);
	tcase_add_test(tc, map_fails_on_demand);
	tcase_add_test(tc, crypto);
	tcase_add_test(tc, sha256);
	tcase_add_test(tc, guest_memory);
	tcase_add_test(tc, tlb_remembers);
	suite_add_tcase(s, tc);
	return s;
}
