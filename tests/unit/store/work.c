// SPDX-License-Identifier: GPL-2.0-or-later
/* work.c - see work.h */
#include "work.h"

static int add(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	(void)first, (void)last;
	return inktag_db_object_create(db, &w->oid[o]);
}

static int reserve(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	(void)first;
	return inktag_db_reserve(db, &w->oid[o], last, &w->nonces[o]);
}

static int put(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last, const uint64_t *length)
{
	InkTagDbSeal seals[128] = { 0 };
	uint32_t n = 0;
	int ret;

	for (uint64_t i = first; i <= last; i++, n++) {
		seals[n].index = i;
		seals[n].v.version = w->nonces[o].first + n;
		seals[n].v.salt = w->nonces[o].salt;
		memset(seals[n].v.tag, (int)seals[n].v.version, sizeof(seals[n].v.tag));
	}
	ret = inktag_db_prepare(db, &w->oid[o], seals, n, length, &w->ticket);
	if (ret == 0)
		w->nonces[o].first += n;
	return ret;
}

/* To the end of the last page. */
static int extend(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	uint64_t length = (last + 1) * INKTAG_DB_PAGE_SIZE;

	return put(db, w, o, first, last, &length);
}

static int rewrite(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	return put(db, w, o, first, last, NULL);
}

static int cut(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	uint64_t length = first * INKTAG_DB_PAGE_SIZE;

	(void)last;
	return inktag_db_prepare(db, &w->oid[o], NULL, 0, &length, &w->ticket);
}

static int settle(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	(void)first, (void)last;
	return inktag_db_settle(db, &w->oid[o], w->ticket);
}

static int find(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	InkTagDbFound f = { .index = first, .kind = INKTAG_DB_FOUND_NEITHER };

	if (last) {
		f.kind = INKTAG_DB_FOUND_VERSION;
		f.version = last;
		f.salt = w->nonces[o].salt;
	}
	return inktag_db_resolve(db, &w->oid[o], &f, 1);
}

static int find_length(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	(void)last;
	return inktag_db_resolve_length(db, &w->oid[o], first * INKTAG_DB_PAGE_SIZE);
}

static int set_policy(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	uint8_t policy[3000];

	(void)last;
	memset(policy, (int)first, sizeof(policy));
	return inktag_db_policy_set(db, &w->oid[o], policy, sizeof(policy));
}

static const char *path(uint64_t n)
{
	static const char *const paths[] = { "/etc/a", "/etc/b", "/var/c" };

	return paths[n];
}

static int bind(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	(void)last;
	return inktag_db_name_bind(db, path(first), &w->oid[o]);
}

static int create(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	(void)last;
	return inktag_db_name_create(db, path(first), &w->oid[o]);
}

static int link_name(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	(void)w, (void)o;
	return inktag_db_name_link(db, path(first), path(last));
}

static int rename_name(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	InkTagDbUnlinked u;

	(void)w, (void)o;
	return inktag_db_name_rename(db, path(first), path(last), &u);
}

static int unlink_name(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	InkTagDbUnlinked u;

	(void)w, (void)o, (void)last;
	return inktag_db_name_unlink(db, path(first), &u);
}

static int drop(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	(void)first, (void)last;
	return inktag_db_object_remove(db, &w->oid[o]);
}

static int drop_unnamed(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last)
{
	uint64_t removed;

	(void)w, (void)o, (void)first, (void)last;
	return inktag_db_object_remove_unnamed(db, &removed);
}

static const struct {
	int (*call)(InkTagDb *db, struct work *w, int o, uint64_t first, uint64_t last);
	int object;
	uint64_t first, last;
} steps[] = {
	{ add, 0, 0, 0 },
	{ bind, 0, 0, 0 },
	{ reserve, 0, 0, 200 },
	{ extend, 0, 0, 99 },
	{ settle, 0, 0, 0 },
	{ add, 1, 0, 0 },
	{ reserve, 1, 0, 50 },
	{ rewrite, 0, 10, 40 },
	{ extend, 1, 0, 9 },
	{ set_policy, 0, 1, 0 },
	{ bind, 1, 1, 0 },
	{ settle, 1, 0, 0 },
	{ rename_name, 0, 1, 0 },
	{ rewrite, 0, 30, 60 },
	{ settle, 0, 0, 0 },
	{ set_policy, 1, 2, 0 },
	{ cut, 0, 20, 0 },
	{ settle, 0, 0, 0 },
	{ link_name, 0, 0, 2 },
	{ extend, 1, 10, 19 },
	{ find_length, 1, 20, 0 },
	{ find, 1, 12, 13 },
	{ find, 1, 13, 0 },
	{ rewrite, 1, 13, 13 },
	{ settle, 1, 0, 0 },
	{ drop, 0, 0, 0 },
	{ unlink_name, 0, 0, 0 },
	{ unlink_name, 0, 2, 0 },
	{ create, 2, 0, 0 },
	{ reserve, 2, 0, 100 },
	{ extend, 2, 0, 79 },
	{ drop_unnamed, 0, 0, 0 },
	{ settle, 2, 0, 0 },
};

unsigned int work_steps(void)
{
	return ARRAY_SIZE(steps);
}

static void set_rand(uint32_t number)
{
	if (store_rand)
		g_rand_free(store_rand);
	store_rand = g_rand_new_with_seed(number);
}

int work_step(InkTagDb *db, struct work *w, unsigned int step)
{
	set_rand(step);
	return steps[step].call(db, w, steps[step].object, steps[step].first, steps[step].last);
}

InkTagDb *work_open(InkTagDbError *err)
{
	InkTagDb *db;

	set_rand(1000);
	if (inktag_db_open(&on_disk, &db, err) < 0)
		return NULL;
	/* So that the work reaches checkpoints, too. */
	sqlite3_wal_autocheckpoint(db->sql, 12);
	return db;
}

InkTagDb *work_create(void)
{
	InkTagDbError err;
	InkTagDb *db;

	disk_clear();
	set_rand(1001);
	ck_assert_msg(inktag_db_create(&on_disk, &err) == 0, "%s", err.text);
	db = work_open(&err);
	ck_assert_msg(db, "%s", err.text);
	return db;
}
