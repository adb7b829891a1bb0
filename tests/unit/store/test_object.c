// SPDX-License-Identifier: GPL-2.0-or-later
/* test_object.c - objects, their keys and policies */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "unit.h"

static const InkTagDbOid nobody = { { 1, 2, 3 } };

START_TEST(create_remove)
{
	InkTagDb *db = store_new();
	InkTagDbOid a = object_new(db), b = object_new(db);
	InkTagDbObject o = info_of(db, &a);
	InkTagDbInfo info;

	ck_assert_mem_ne(&a, &b, sizeof(a));
	ck_assert_mem_eq(&o.oid, &a, sizeof(a));
	ck_assert_uint_eq(o.length + o.pendings + o.unsettled + o.lost + o.links, 0);
	ck_assert_uint_eq(o.next_version, 1);

	prepare(db, &a, 0, 3, 4 * INKTAG_DB_PAGE_SIZE);
	MUST(db, inktag_db_name_bind(db, "/a", &a));
	REFUSED(db, EBUSY, inktag_db_object_remove(db, &a));
	MUST(db, inktag_db_object_remove(db, &b));
	REFUSED(db, ENOENT, inktag_db_object_remove(db, &b));
	MUST(db, inktag_db_name_unlink(db, "/a", &(InkTagDbUnlinked){ 0 }));
	MUST(db, inktag_db_object_remove(db, &a));
	MUST(db, inktag_db_info(db, &info));
	ck_assert_uint_eq(info.objects + info.unsettled, 0);
	store_valid(db);
	inktag_db_close(db);
}
END_TEST

START_TEST(unknown)
{
	InkTagDb *db = store_new();
	InkTagDbNonces nonces;
	InkTagDbObject object;
	InkTagDbPage page;
	uint8_t key[INKTAG_DB_KEY_SIZE];
	uint64_t n;
	uint32_t count;
	size_t size;

	object_new(db);
	REFUSED(db, ENOENT, inktag_db_object_info(db, &nobody, &object));
	REFUSED(db, ENOENT, inktag_db_object_remove(db, &nobody));
	REFUSED(db, ENOENT, inktag_db_object_key(db, &nobody, key));
	REFUSED(db, ENOENT, inktag_db_policy_set(db, &nobody, "p", 1));
	REFUSED(db, ENOENT, inktag_db_policy_get(db, &nobody, key, sizeof(key), &size));
	REFUSED(db, ENOENT, inktag_db_reserve(db, &nobody, 1, &nonces));
	REFUSED(db, ENOENT, inktag_db_fetch(db, &nobody, 0, 1, &page, 1, &count));
	REFUSED(db, ENOENT, inktag_db_prepare(db, &nobody, NULL, 0, NULL, &n));
	REFUSED(db, ENOENT, inktag_db_settle(db, &nobody, 1));
	REFUSED(db, ENOENT, inktag_db_resolve(db, &nobody, NULL, 0));
	REFUSED(db, ENOENT, inktag_db_resolve_length(db, &nobody, 0));
	REFUSED(db, ENOENT, inktag_db_name_bind(db, "/x", &nobody));
	REFUSED(db, ENOENT, inktag_db_name_count(db, &nobody, &n));
	inktag_db_close(db);
}
END_TEST

START_TEST(iterate)
{
	InkTagDb *db = store_new();
	InkTagDbObject object = { 0 };
	const InkTagDbOid *after = NULL;
	InkTagDbOid last = { 0 };
	int n = 0;

	REFUSED(db, ENOENT, inktag_db_object_next(db, NULL, &object));
	for (int i = 0; i < 20; i++)
		object_new(db);
	for (; inktag_db_object_next(db, after, &object) == 0; n++) {
		ck_assert_int_gt(memcmp(&object.oid, &last, sizeof(last)), 0);
		last = object.oid;
		after = &last;
	}
	ck_assert_int_eq(n, 20);
	REFUSED(db, ENOENT, inktag_db_object_next(db, &last, &object));
	inktag_db_close(db);
}
END_TEST

START_TEST(remove_unnamed)
{
	InkTagDb *db = store_new();
	InkTagDbOid named = object_new(db), unnamed = object_new(db);
	InkTagDbObject object;
	uint64_t removed;

	prepare(db, &unnamed, 0, 1, 8192);
	object_new(db);
	MUST(db, inktag_db_name_bind(db, "/a", &named));
	MUST(db, inktag_db_object_remove_unnamed(db, &removed));
	ck_assert_uint_eq(removed, 2);
	info_of(db, &named);
	REFUSED(db, ENOENT, inktag_db_object_info(db, &unnamed, &object));
	MUST(db, inktag_db_object_remove_unnamed(db, &removed));
	ck_assert_uint_eq(removed, 0);
	store_valid(db);
	inktag_db_close(db);
}
END_TEST

static void hmac(const void *key, int key_size, const void *data, size_t size, uint8_t out[32])
{
	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), key, key_size, data, size, out, NULL));
}

/* RFC 5869, written out: what a key is must not change, or the files are gone. */
START_TEST(key)
{
	static const char label[] = "InkTag store: key of an object";
	InkTagDb *db = store_new();
	InkTagDbOid oid = object_new(db), second = object_new(db);
	uint8_t prk[32], info[128], wanted[32], got[32], again[32];
	InkTagDbInfo store;
	size_t size = 0;

	MUST(db, inktag_db_info(db, &store));
	hmac(store.uuid, sizeof(store.uuid), secret, sizeof(secret), prk);
	memcpy(info, label, strlen(label));
	size += strlen(label);
	memcpy(info + size, &oid, sizeof(oid));
	size += sizeof(oid);
	info[size++] = 1;
	hmac(prk, sizeof(prk), info, size, wanted);
	MUST(db, inktag_db_object_key(db, &oid, got));
	ck_assert_mem_eq(got, wanted, sizeof(got));
	db = store_reopen(db);
	MUST(db, inktag_db_object_key(db, &oid, again));
	ck_assert_mem_eq(got, again, sizeof(got));
	MUST(db, inktag_db_object_key(db, &second, again));
	ck_assert_mem_ne(got, again, sizeof(got));
	inktag_db_close(db);
}
END_TEST

/* Neither the secret nor a key is in the file. */
START_TEST(no_keys_in_file)
{
	InkTagDb *db = store_new();
	InkTagDbOid oid = object_new(db);
	uint8_t key[INKTAG_DB_KEY_SIZE];

	MUST(db, inktag_db_object_key(db, &oid, key));
	inktag_db_close(db);
	ck_assert_ptr_null(memmem(disk_data(STORE)->data, disk_data(STORE)->len, key, 8));
	ck_assert_ptr_null(memmem(disk_data(STORE)->data, disk_data(STORE)->len, secret, 8));
}
END_TEST

START_TEST(policy)
{
	InkTagDb *db = store_new();
	InkTagDbOid oid = object_new(db);
	static uint8_t big[INKTAG_DB_POLICY_MAX + 1], got[INKTAG_DB_POLICY_MAX];
	size_t size;

	MUST(db, inktag_db_policy_get(db, &oid, got, sizeof(got), &size));
	ck_assert_uint_eq(size, 0);
	MUST(db, inktag_db_policy_set(db, &oid, "a\0b", 3));
	db = store_reopen(db);
	MUST(db, inktag_db_policy_get(db, &oid, got, sizeof(got), &size));
	ck_assert_uint_eq(size, 3);
	ck_assert_mem_eq(got, "a\0b", 3);
	REFUSED(db, EOVERFLOW, inktag_db_policy_get(db, &oid, got, 2, &size));
	REFUSED(db, EOVERFLOW, inktag_db_policy_set(db, &oid, big, sizeof(big)));
	MUST(db, inktag_db_policy_set(db, &oid, big, INKTAG_DB_POLICY_MAX));
	MUST(db, inktag_db_policy_get(db, &oid, got, sizeof(got), &size));
	ck_assert_uint_eq(size, sizeof(got));
	MUST(db, inktag_db_policy_set(db, &oid, NULL, 0));
	MUST(db, inktag_db_policy_get(db, &oid, got, 0, &size));
	ck_assert_uint_eq(size, 0);
	inktag_db_close(db);
}
END_TEST

Suite *suite_object(void)
{
	Suite *s = suite_create("object");
	TCase *tc = unit_case("object");

	tcase_add_test(tc, create_remove);
	tcase_add_test(tc, unknown);
	tcase_add_test(tc, iterate);
	tcase_add_test(tc, remove_unnamed);
	tcase_add_test(tc, key);
	tcase_add_test(tc, no_keys_in_file);
	tcase_add_test(tc, policy);
	suite_add_tcase(s, tc);
	return s;
}
