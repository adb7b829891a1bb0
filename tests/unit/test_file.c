// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Protected files: what a HAP wrote is what it reads, in this VM and the next, whatever the kernel does to the pages and
 * wherever the VM ends; and what the core asks of the store. I1, I2, I9; F1 to F5.
 */
#include "unit.h"

#define SERIAL		90
#define TOKEN		20
#define FILE_VA		0x2000000UL
#define PAGES		(3UL * KVM_INKTAG_FETCH)
#define VA(index)	(FILE_VA + (index) * PAGE)
#define GFN		FIRST_GFN

static const u64 first[2] = { 0x1111, 0x2222 }, second[2] = { 0x3333, 0x4444 }, none[2] = { 5, 6 };

static struct guest *g;
static struct store *st;
static struct ink_hap *hap;

/* The HAP on cpu has a window onto the file with this serial. */
static void add_window(struct ink_hap *h, u16 kind)
{
	struct inktag_desc d = { FILE_VA, PAGES, { SERIAL, 0 }, 0, 7, kind };

	memcpy((u8 *)SPAGE(h, 0, 0)->frame + TOKEN * sizeof(d), &d, sizeof(d));
}

/* A request was made, and is answered. More than a few in a row lead nowhere. */
static bool served(void)
{
	static u32 times;

	must(++times < 5000, "the store is asked again and again");
	return store_serve(st, g);
}

/* The result of a call that is made again as long as the store is asked for it. */
#define UNTIL_ANSWERED(call) ({						\
	s64 _r;								\
									\
	do {								\
		_r = (call);						\
		guest_check(g);						\
	} while (_r == -EINPROGRESS && served());			\
	_r;								\
})

static int file_open(u32 cpu, u64 serial, const u64 oid[2])
{
	return UNTIL_ANSWERED(ink_file_open(g->cpu[cpu].thread, serial, oid));
}

static struct ink_file *file(void)
{
	return ink_file_find(&g->vm, first);
}

static void start_vm(void)
{
	g = guest_new(&(struct kvm_inktag_limits){ .haps = 8, .threads = 8, .descriptors = 256, .frames = 4096, .files = 3 });
	hap = hap_launch(g, 0);
	add_window(hap, INKTAG_KIND_FILE);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
}

static void setup(void)
{
	st = store_new();
	store_add(st, first, 1);
	store_add(st, second, 1);
	start_vm();
}

static void teardown(void)
{
	guest_free(g);
	store_free(st);
	nothing_leaked();
}

/* The VM is no more, and what was on its disk is all there is. */
static void crash(void)
{
	guest_free(g);
	store_restart(st);
	start_vm();
}

static struct access touch(u32 cpu, u64 index, u32 access, u64 gfn)
{
	struct access a;

	do {
		a = hap_access_at(g, cpu, VA(index), access, gfn, TOKEN);
		guest_check(g);
	} while (a.verdict == INK_WAIT && served());
	return a;
}

static void writes(u32 cpu, u64 index, u64 gfn, u64 n)
{
	struct access a = touch(cpu, index, INK_WRITE, gfn);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	secret_fill(a.page, n);
}

static void reads(u32 cpu, u64 index, u64 gfn, u64 n)
{
	struct access a = touch(cpu, index, INK_READ, gfn);

	ck_assert_int_eq(a.verdict, INK_MAPPED);
	must(n ? secret_is(a.page, n) : is_zero(a.page, PAGE), "I2: page %llu is not the one that was written",
	     (unsigned long long)index);
}

static s64 length(u64 op, u64 value)
{
	return UNTIL_ANSWERED(ink_file_length(hap, SERIAL, op, value));
}

static s64 sync_step(u64 op, u64 value)
{
	return UNTIL_ANSWERED(ink_file_sync(hap, SERIAL, op, value));
}

/* The first half of a sync: its ticket. */
static s64 seal_all(void)
{
	return sync_step(INKTAG_SYNC_SEAL, sync_step(INKTAG_SYNC_BEGIN, 0));
}

/* What the kernel's disk has. */
static u8 disk[PAGES][PAGE];

static int announce(u64 gfn, u64 step)
{
	return UNTIL_ANSWERED(ink_before_io(&g->vm, gfn, 1, step));
}

/* With a flush of the disk, if there is no room. */
static void announce_all(u64 gfn)
{
	if (announce(gfn, INKTAG_IO_ANNOUNCE))
		ck_assert_int_eq(announce(gfn, INKTAG_IO_FLUSHED), 0);
}

/* The kernel's writeback of the page. */
static void write_back(u64 index, u64 gfn)
{
	ck_assert_int_eq(announce(gfn, INKTAG_IO_ANNOUNCE), 0);
	memcpy(disk[index], k_page(g, gfn), PAGE);
	guest_check_secrecy(g);
}

static void read_in(u64 index, u64 gfn)
{
	k_write(g, gfn, disk[index]);
}

/* A whole sync of pages 0 to count - 1, which are in the frames from GFN on. */
static void sync_all(u64 count)
{
	s64 mark = sync_step(INKTAG_SYNC_BEGIN, 0), ticket = sync_step(INKTAG_SYNC_SEAL, mark);
	u64 i;

	ck_assert_int_gt(mark, 0);
	ck_assert_int_ge(ticket, 0);
	for (i = 0; i < count; i++)
		write_back(i, GFN + i);
	ck_assert_int_eq(sync_step(INKTAG_SYNC_SETTLE, ticket), 0);
}

/* --- open ---------------------------------------------------------------------------------------------- */

START_TEST(no_store)
{
	u64 answer[4];

	g->vm.limits.files = 0;
	REFUSED(g, -EOPNOTSUPP, ink_file_open(g->cpu[0].thread, 5000, second));
	REFUSED(g, -EOPNOTSUPP, ink_file_length(hap, 5000, INKTAG_LENGTH_GET, 0));
	REFUSED(g, -EOPNOTSUPP, ink_file_sync(hap, 5000, INKTAG_SYNC_BEGIN, 0));
	REFUSED(g, -EOPNOTSUPP, ink_file_name(g->cpu[0].thread, INKTAG_NAME_LOOKUP, DATA_VA, 5, answer));
}
END_TEST

START_TEST(open_refused)
{
	REFUSED(g, -EINVAL, ink_file_open(g->cpu[0].thread, 0, second));
	REFUSED(g, -EINVAL, ink_file_open(g->cpu[0].thread, INKTAG_SERIAL_END, second));
	REFUSED(g, -EEXIST, ink_file_open(g->cpu[0].thread, SERIAL, second));
	REFUSED(g, -EEXIST, ink_file_open(g->cpu[0].thread, SER_CODE, second));
	REFUSED(g, -ENOENT, ink_file_length(hap, SER_CODE, INKTAG_LENGTH_GET, 0));
	REFUSED(g, -ENOENT, ink_file_sync(hap, 7000, INKTAG_SYNC_BEGIN, 0));
	ck_assert_int_eq(file_open(0, 91, none), -ENOENT);
	store_refuse(st, KVM_INKTAG_STORE_OPEN, -EROFS);
	ck_assert_int_eq(file_open(0, 91, second), -EIO);
	ck_assert_int_eq(file_open(0, 91, second), 0);
	ck_assert_int_eq(file_open(0, 92, second), 0);
}
END_TEST

START_TEST(too_many)
{
	static const u64 third[2] = { 7, 7 }, fourth[2] = { 8, 8 };

	store_add(st, third, 1);
	store_add(st, fourth, 1);
	ck_assert_int_eq(file_open(0, 91, second), 0);
	ck_assert_int_eq(file_open(0, 92, third), 0);
	ck_assert_int_eq(file_open(0, 93, fourth), -ENOSPC);
	ck_assert_int_eq(ink_object_leave(hap, 92), 0);
	store_serve(st, g);
	ck_assert_int_eq(file_open(0, 93, fourth), 0);
}
END_TEST

/* Who asked for it ends before the answer, or before it comes back for it. */
START_TEST(asker_ends)
{
	bool answered = _i;

	ck_assert_int_eq(ink_file_open(g->cpu[0].thread, 91, second), -EINPROGRESS);
	if (answered)
		store_serve(st, g);
	hap_kill(g, hap);
	guest_check(g);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 0);
	ck_assert_uint_ge(store_count(st, KVM_INKTAG_STORE_RELEASE), 1);
}
END_TEST

START_TEST(without_memory)
{
	u64 n;
	int err;

	for (n = 1; ; n++) {
		fail_allocation(n, 1);
		err = file_open(0, 91, second);
		fail_allocation(0, 0);
		guest_check(g);
		if (!err)
			break;
		ck_assert_int_eq(err, -ENOMEM);
	}
	ck_assert_uint_gt(n, 2);
}
END_TEST

/* --- content ------------------------------------------------------------------------------------------- */

START_TEST(written_and_read)
{
	reads(0, 0, GFN, 0);
	writes(0, 0, GFN, 7);
	writes(0, 130, GFN + 1, 8);
	reads(0, 0, GFN, 7);
	memcpy(disk[0], k_page(g, GFN), PAGE);		/* encrypted */
	guest_check_secrecy(g);
	reads(0, 0, GFN, 7);
	reads(0, 130, GFN + 1, 8);
	/* elsewhere, in the kernel's hands meanwhile */
	k_page(g, GFN);
	k_write(g, GFN + 5, disk[0]);
	reads(0, 0, GFN + 5, 7);
}
END_TEST

/* The file's key, and its name, are not those of memory. */
START_TEST(key_of_its_own)
{
	struct ink_spage *s;
	u8 out[PAGE];

	writes(0, 0, GFN, 7);
	k_page(g, GFN);
	s = SPAGE(hap, SERIAL, 0);
	memcpy(disk[0], slot_page(g, GFN), PAGE);
	ck_assert_mem_eq(s->id.object, first, sizeof(first));
	ck_assert_int_eq(ink_unseal(&g->vm, NULL, &s->id, disk[0], out, s->tag), -EBADMSG);
	ck_assert_int_eq(ink_unseal(&g->vm, s->file->key, &s->id, disk[0], out, s->tag), 0);
	ck_assert(secret_is(out, 7));
}
END_TEST

/* Written by one, seen by the other, at once. */
START_TEST(shared_by_two)
{
	struct ink_hap *other = hap_build(g, GFN + 40, GFN + 41);

	hap_start(g, other, 1);
	add_window(other, INKTAG_KIND_FILE);
	ck_assert_int_eq(file_open(1, SERIAL, first), 0);
	writes(0, 3, GFN, 7);
	reads(1, 3, GFN, 7);
	writes(1, 3, GFN, 8);
	reads(0, 3, GFN, 8);
	hap_kill(g, hap);
	reads(1, 3, GFN, 8);
	k_page(g, GFN);
	reads(1, 3, GFN, 8);
}
END_TEST

/* The program's own mapping beside the shim's window: one page, at one address at a time. */
START_TEST(two_windows)
{
	struct inktag_desc d = { FILE_VA + PAGES * PAGE, PAGES, { SERIAL, 0 }, 0, 7, INKTAG_KIND_FILE };
	struct access a;
	int i;

	memcpy((u8 *)SPAGE(hap, 0, 0)->frame + (TOKEN + 1) * sizeof(d), &d, sizeof(d));
	for (i = 1; i < 5; i += 2) {
		writes(0, 3, GFN, i);
		a = hap_access_at(g, 0, d.addr + 3 * PAGE, INK_WRITE, GFN, TOKEN + 1);
		ck_assert_int_eq(a.verdict, INK_MAPPED);
		ck_assert(secret_is(a.page, i));
		secret_fill(a.page, i + 1);
		guest_check(g);
		reads(0, 3, GFN, i + 1);
	}
	k_page(g, GFN);
	reads(0, 3, GFN, 4);
}
END_TEST

START_TEST(child_has_it)
{
	struct ink_hap *child;

	writes(0, 3, GFN, 7);
	child = hap_fork(g, 0, 1);
	k_hint(child, INKTAG_DESC_BASE, ARRAY_GFN, 7, T_ARRAY);
	reads(1, 3, GFN, 7);
	writes(1, 3, GFN, 8);
	reads(0, 3, GFN, 8);
	ck_assert_uint_eq(file()->obj.refs, 2);
}
END_TEST

START_TEST(wrong_kind)
{
	add_window(hap, INKTAG_KIND_PRIVATE);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_DESCRIPTOR, VA(0), U64_MAX, TOKEN);
	add_window(hap, INKTAG_KIND_FILE);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_DESCRIPTOR, VA(0), U64_MAX, TOKEN);
}
END_TEST

enum attack { ALTERED, OLDER, OTHERS, ELSEWHERE, NR_ATTACKS };

START_TEST(attacked)
{
	writes(0, 0, GFN, 1);
	writes(0, 1, GFN + 1, 2);
	write_back(0, GFN);
	write_back(1, GFN + 1);
	writes(0, 0, GFN, 3);
	if (_i == ALTERED || _i == ELSEWHERE) {
		write_back(0, GFN);
		disk[0][17] ^= _i == ALTERED;
	} else {
		k_page(g, GFN);
	}
	if (_i == OTHERS)
		memcpy(disk[0], disk[1], PAGE);
	read_in(0, GFN + 9);
	if (_i == ELSEWHERE) {		/* the right content, in a frame that holds another page */
		read_in(1, GFN + 1);
		reads(0, 1, GFN + 1, 2);
		ck_assert_int_eq(touch(0, 0, INK_READ, GFN + 1).verdict, INK_KILL);
		expect_violation(g, hap->id, INKTAG_CHECK_FRAME, VA(0), GFN + 1, TOKEN);
		return;
	}
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN + 9).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, VA(0), GFN + 9, TOKEN);
}
END_TEST

/* --- the store ------------------------------------------------------------------------------------------ */

START_TEST(announced)
{
	ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 2 * PAGE), 2 * PAGE);
	writes(0, 0, GFN, 1);
	ck_assert_uint_eq(store_versions(st, first, 0), 0);
	write_back(0, GFN);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	ck_assert_uint_eq(store_length(st, first), 2 * PAGE);
	ck_assert_uint_eq(SPAGE(hap, SERIAL, 0)->written, 0);
	/* what is touched for other reasons is announced with the next */
	writes(0, 1, GFN + 1, 2);
	k_page(g, GFN + 1);
	ink_files_evict(&g->vm);
	ck_assert_uint_eq(store_versions(st, first, 1), 0);
	writes(0, 0, GFN, 3);
	write_back(0, GFN);
	ck_assert_uint_eq(store_versions(st, first, 0), 2);
	ck_assert_uint_eq(store_versions(st, first, 1), 1);
	/* and what has nothing to do with files costs no request */
	ck_assert_int_eq(ink_before_io(&g->vm, GFN + 30, 1, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_int_eq(ink_before_io(&g->vm, GFN, 0, INKTAG_IO_ANNOUNCE), -EINVAL);
	ck_assert_int_eq(ink_before_io(&g->vm, GFN, INKTAG_IO_MAX + 1, INKTAG_IO_ANNOUNCE), -EINVAL);
	ck_assert_int_eq(ink_before_io(&g->vm, INK_GFN_END, 1, INKTAG_IO_ANNOUNCE), -EINVAL);
}
END_TEST

/* The page is written again while its version is on the way to the store. */
START_TEST(written_meanwhile)
{
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	ck_assert_int_eq(ink_before_io(&g->vm, GFN, 1, INKTAG_IO_ANNOUNCE), -EINPROGRESS);
	writes(0, 0, GFN, 2);
	ck_assert_int_eq(SPAGE(hap, SERIAL, 0)->state, INK_DIRTY);
	if (_i)		/* and sealed again: under another version */
		k_page(g, GFN);
	store_serve(st, g);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	ck_assert_uint_ne(SPAGE(hap, SERIAL, 0)->written, 0);
	/* the disk never got the first */
	write_back(0, GFN);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	reads(0, 0, GFN, 2);
}
END_TEST

/* Too many versions may be on the disk: the kernel flushes it, and says so. Of other pages that says nothing. */
START_TEST(too_many_versions)
{
	u64 n;

	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	for (n = 1; n <= 2; n++) {
		writes(0, 1, GFN + 1, n);
		write_back(1, GFN + 1);
	}
	for (n = 1; n <= KVM_INKTAG_VERSIONS; n++) {
		writes(0, 0, GFN, n);
		write_back(0, GFN);
		ck_assert_uint_eq(store_versions(st, first, 0), n);
	}
	writes(0, 0, GFN, n);
	writes(0, 1, GFN + 1, 3);
	k_page(g, GFN + 1);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), -EBUSY);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_FLUSHED), 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 2);
	ck_assert_uint_eq(store_versions(st, first, 1), 2);
	ck_assert_int_eq(announce(GFN + 1, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_uint_eq(store_versions(st, first, 1), 3);
	reads(0, 0, GFN, n);
}
END_TEST

/* A flush says nothing of a page that the disk was not given, though the store was told of it. */
START_TEST(flush_of_others)
{
	u64 n;

	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 1, GFN + 1, 1);
	sync_all(2);
	for (n = 1; n <= KVM_INKTAG_VERSIONS; n++) {
		writes(0, 0, GFN, n);
		write_back(0, GFN);
	}
	writes(0, 1, GFN + 1, 2);
	seal_all();
	writes(0, 0, GFN, n);
	writes(0, 1, GFN + 1, 3);
	k_page(g, GFN + 1);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), -EBUSY);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_FLUSHED), 0);
	ck_assert_uint_ne(SPAGE(hap, SERIAL, 1)->written, 0);
	crash();
	read_in(1, GFN + 1);
	reads(0, 1, GFN + 1, 1);
}
END_TEST

/*
 * F6: what was announced, and no device was given, makes room for what comes after: what the disk has stays accepted, however
 * often the page is written, and its file opened and closed, before a device gets it.
 */
START_TEST(never_given)
{
	u64 n;

	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 0, GFN, 1);
	sync_all(2);
	for (n = 2; n <= 9; n++) {
		writes(0, 0, GFN, n);
		if (_i == 0 || _i == 3) {
			seal_all();
			if (_i == 3)
				ink_files_evict(&g->vm);
		} else if (_i == 1) {
			ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
			store_serve(st, g);
			ck_assert_int_eq(file_open(0, SERIAL, first), 0);
		} else {
			/* it goes along with another one's */
			k_page(g, GFN);
			writes(0, 1, GFN + 1, n);
			announce_all(GFN + 1);
		}
		ck_assert_uint_eq(store_versions(st, first, 0), 2);
	}
	reads(0, 0, GFN, 9);
	crash();
	read_in(0, GFN);
	reads(0, 0, GFN, 1);
}
END_TEST

/*
 * A device may get what is announced later: what is beyond the length when the kernel writes it (_i = 0, 1), or what the store
 * did not take then (2). It stays accepted beside what comes after.
 */
START_TEST(given_before_announced)
{
	s64 ticket;

	length(INKTAG_LENGTH_REACH, PAGE);
	if (_i < 2) {
		writes(0, 3, GFN + 3, 1);
		write_back(3, GFN + 3);
		length(INKTAG_LENGTH_REACH, 4 * PAGE);
	} else {
		length(INKTAG_LENGTH_REACH, 4 * PAGE);
		writes(0, 3, GFN + 3, 7);
		seal_all();
		writes(0, 3, GFN + 3, 1);
		store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EIO);
		ck_assert_int_eq(announce(GFN + 3, INKTAG_IO_ANNOUNCE), -EIO);
		memcpy(disk[3], k_page(g, GFN + 3), PAGE);
	}
	ticket = seal_all();
	if (_i == 1) {
		ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
		store_serve(st, g);
		ck_assert_uint_eq(g->vm.nr_files, 0);
		return;
	}
	writes(0, 3, GFN + 3, 2);
	seal_all();
	ck_assert_int_eq(sync_step(INKTAG_SYNC_SETTLE, ticket), 0);
	crash();
	read_in(3, GFN);
	reads(0, 3, GFN, 1);
}
END_TEST

/*
 * A file is opened, two of its pages are written and go to the disk, and it is closed, and so on, and it grows: after a
 * flush there is room, and other files do not wait for it.
 */
START_TEST(given_again_and_again)
{
	u64 n;

	ck_assert_int_eq(file_open(0, 91, second), 0);
	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	for (n = 1; n <= 9; n++) {
		writes(0, 0, GFN, n);
		writes(0, 1, GFN + 1, n);
		length(INKTAG_LENGTH_REACH, 2 * PAGE + n);
		ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
		store_serve(st, g);
		ck_assert_int_eq(announce(GFN + 30, INKTAG_IO_ANNOUNCE), 0);
		for (u64 i = 0; i < 2; i++) {
			announce_all(GFN + i);
			memcpy(disk[i], k_page(g, GFN + i), PAGE);
		}
		ck_assert_uint_eq(g->vm.nr_files, 1);
		ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	}
	crash();
	read_in(0, GFN);
	read_in(1, GFN + 1);
	reads(0, 0, GFN, 9);
	reads(0, 1, GFN + 1, 9);
}
END_TEST

/* Of a page that the store had before the file was opened, we do not know for how many versions there is room. */
START_TEST(given_before_opened)
{
	u64 n;

	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	for (n = 1; n <= KVM_INKTAG_VERSIONS; n++) {
		writes(0, 1, GFN + 1, n);
		write_back(1, GFN + 1);
	}
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 0);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	writes(0, 0, GFN, 1);
	writes(0, 1, GFN + 1, n);
	k_page(g, GFN + 1);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	ck_assert_int_eq(announce(GFN + 1, INKTAG_IO_ANNOUNCE), -EBUSY);
	ck_assert_int_eq(announce(GFN + 1, INKTAG_IO_FLUSHED), 0);
}
END_TEST

/* What the store does not take of one file's end does not keep another one's pages back. */
START_TEST(end_of_another)
{
	ck_assert_int_eq(file_open(0, 91, second), 0);
	ck_assert_int_eq(UNTIL_ANSWERED(ink_file_length(hap, 91, INKTAG_LENGTH_REACH, 2 * PAGE)), 2 * PAGE);
	ck_assert_int_eq(UNTIL_ANSWERED(ink_file_length(hap, 91, INKTAG_LENGTH_SET, PAGE)), PAGE);
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 5);
	store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EIO);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
}
END_TEST

/* What the disk was given stays accepted beside what comes after, and that it was given is known by the frame. */
START_TEST(given_by_frame)
{
	length(INKTAG_LENGTH_REACH, 3 * PAGE);
	writes(0, 0, GFN, 1);
	write_back(0, GFN);
	/* it is read in elsewhere, and written there; its frame before is another's now */
	k_write(g, GFN + 7, disk[0]);
	writes(0, 0, GFN + 7, 2);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	write_back(0, GFN + 7);
	ck_assert_uint_eq(store_versions(st, first, 0), 2);
	/* the frame has another page of the file, before it was given, and after */
	writes(0, 2, GFN + 7, 3);
	k_page(g, GFN + 7);
	writes(0, 1, GFN + 7, 3);
	/* and is moved, which an honest kernel does not */
	memcpy(disk[1], k_page(g, GFN + 7), PAGE);
	k_write(g, GFN + 9, disk[1]);
	writes(0, 1, GFN + 9, 4);
	ck_assert_int_eq(announce(GFN + 7, INKTAG_IO_ANNOUNCE), 0);
	k_page(g, GFN + 9);
	memcpy(disk[1], k_page(g, GFN + 9), PAGE);
	k_write(g, GFN + 7, disk[1]);
	writes(0, 1, GFN + 7, 3);
	write_back(1, GFN + 7);
	crash();
	read_in(0, GFN);
	read_in(1, GFN + 1);
	reads(0, 0, GFN, 2);
	reads(0, 1, GFN + 1, 3);
}
END_TEST

/* A page that is written now and then, while others go to the disk: the version that the disk has is not crowded out. */
START_TEST(others_written_back)
{
	u64 n;

	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 1, GFN + 1, 1);
	sync_all(2);
	for (n = 2; n <= 9; n++) {
		writes(0, 1, GFN + 1, n);
		writes(0, 0, GFN, n);
		announce_all(GFN);
		ck_assert_uint_le(store_versions(st, first, 1), 2);
	}
	reads(0, 1, GFN + 1, 9);
	crash();
	read_in(1, GFN + 1);
	reads(0, 1, GFN + 1, 1);
}
END_TEST

START_TEST(synced)
{
	length(INKTAG_LENGTH_REACH, 3 * PAGE);
	writes(0, 0, GFN, 1);
	writes(0, 1, GFN + 1, 2);
	sync_all(2);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	ck_assert_uint_eq(store_versions(st, first, 1), 1);
	ck_assert_uint_eq(store_length(st, first), 3 * PAGE);
	/* nothing new: no request but that of the settling */
	sync_all(0);
	ck_assert_uint_eq(store_count(st, KVM_INKTAG_STORE_PREPARE), 1);
	ck_assert_uint_eq(store_count(st, KVM_INKTAG_STORE_SETTLE), 1);
	REFUSED(g, -EINVAL, ink_file_sync(hap, SERIAL, INKTAG_SYNC_SEAL, file()->writes + 1));
	REFUSED(g, -EINVAL, ink_file_sync(hap, SERIAL, INKTAG_SYNC_SETTLE, file()->ticket + 1));
	REFUSED(g, -EINVAL, ink_file_sync(hap, SERIAL, INKTAG_SYNC_OP_COUNT, 0));
}
END_TEST

/* F4: what was written after the beginning of a sync keeps the version before it. */
START_TEST(written_during_sync)
{
	s64 mark, ticket;

	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	mark = sync_step(INKTAG_SYNC_BEGIN, 0);
	ticket = sync_step(INKTAG_SYNC_SEAL, mark);
	/* or the disk gets only what was written after: then it is that which the sync makes durable */
	if (_i)
		write_back(0, GFN);
	writes(0, 0, GFN, 2);
	write_back(0, GFN);
	ck_assert_uint_eq(store_versions(st, first, 0), 1 + _i);
	ck_assert_int_eq(sync_step(INKTAG_SYNC_SETTLE, ticket), 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 1 + _i);
	crash();
	read_in(0, GFN);
	reads(0, 0, GFN, 2);
}
END_TEST

/*
 * What was written before the sync began is in it, though the page is written again before it is sealed; or while the store
 * is being told, which may refuse, once.
 */
START_TEST(written_before_seal)
{
	s64 mark, ticket;

	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	writes(0, 0, GFN, 2);
	if (_i == 0)
		k_page(g, GFN);
	mark = sync_step(INKTAG_SYNC_BEGIN, 0);
	if (_i) {
		ck_assert_int_eq(ink_file_sync(hap, SERIAL, INKTAG_SYNC_SEAL, mark), -EINPROGRESS);
		hap_write(g, 0, VA(0), GFN, TOKEN, 3);
		guest_check(g);
		if (_i >= 2)
			store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EIO);
		store_serve(st, g);
		if (_i == 3)
			k_page(g, GFN);
		if (_i >= 2)
			ck_assert_int_eq(ink_file_sync(hap, SERIAL, INKTAG_SYNC_SEAL, mark), -EIO);
	} else {
		writes(0, 0, GFN, 3);
	}
	ticket = sync_step(INKTAG_SYNC_SEAL, mark);
	ck_assert_int_gt(ticket, 0);
	/* the kernel only says that it is on the disk */
	ck_assert_int_eq(sync_step(INKTAG_SYNC_SETTLE, ticket), 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	crash();
	read_in(0, GFN);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, VA(0), GFN, TOKEN);
}
END_TEST

/* A sync meets all that was written before, and what was written after is no matter of its. */
START_TEST(sync_of_many)
{
	u64 i;

	length(INKTAG_LENGTH_REACH, 150 * PAGE);
	for (i = 0; i < 150; i++) {
		writes(0, i, GFN + i % 150, i + 1);
		if (i % 8 == 7)
			k_page(g, GFN + i);
	}
	seal_all();
	for (i = 0; i < 150; i++)
		ck_assert_uint_eq(store_versions(st, first, i), 1);
	ck_assert_uint_eq(file()->nr_dirty, 0);
	for (i = 0; i < 150; i++)
		reads(0, i, GFN + i, i + 1);
}
END_TEST

START_TEST(store_fails)
{
	s64 mark;

	length(INKTAG_LENGTH_REACH, PAGE);
	store_refuse(st, KVM_INKTAG_STORE_FETCH, -EIO);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_LOST);
	store_refuse(st, KVM_INKTAG_STORE_RESERVE, -ENOSPC);
	ck_assert_int_eq(touch(0, 0, INK_WRITE, GFN).verdict, INK_LOST);
	writes(0, 0, GFN, 1);
	mark = sync_step(INKTAG_SYNC_BEGIN, 0);
	store_refuse(st, KVM_INKTAG_STORE_PREPARE, -ENOSPC);
	ck_assert_int_eq(sync_step(INKTAG_SYNC_SEAL, mark), -EIO);
	ck_assert_int_ge(sync_step(INKTAG_SYNC_SEAL, mark), 1);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	writes(0, 0, GFN, 2);
	store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EROFS);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), -EIO);
	ck_assert_uint_ne(SPAGE(hap, SERIAL, 0)->written, 0);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
	store_refuse(st, KVM_INKTAG_STORE_SETTLE, -EIO);
	ck_assert_int_eq(sync_step(INKTAG_SYNC_SETTLE, file()->ticket), -EIO);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	reads(0, 0, GFN, 2);
}
END_TEST

/* F2: versions are asked for in time. */
START_TEST(versions)
{
	u64 i;

	store_give(st, 8);
	for (i = 0; i < 7; i++)
		writes(0, i, GFN + i, i + 1);
	ck_assert_uint_eq(file()->nr_dirty, 7);
	writes(0, 7, GFN + 7, 8);
	ck_assert_uint_eq(store_count(st, KVM_INKTAG_STORE_RESERVE), 1);
	for (i = 0; i < 8; i++)
		k_page(g, GFN + i);
	for (i = 8; i < 30; i++) {
		writes(0, i, GFN + i, i + 1);
		k_page(g, GFN + i);
	}
	for (i = 0; i < 30; i++)
		reads(0, i, GFN + i, i + 1);
}
END_TEST

/* --- the cache of records -------------------------------------------------------------------------------- */

START_TEST(evicted)
{
	u64 before;

	length(INKTAG_LENGTH_REACH, PAGES * PAGE);
	writes(0, 0, GFN, 1);
	writes(0, KVM_INKTAG_FETCH, GFN + 1, 2);
	writes(0, 2 * KVM_INKTAG_FETCH, GFN + 2, 3);
	write_back(0, GFN);
	k_page(g, GFN + 1);
	before = g->vm.records;
	writes(0, KVM_INKTAG_FETCH, GFN + 1, 4);	/* not announced */
	k_page(g, GFN + 1);
	/* one that is in use stays, though the store knows all of it */
	reads(0, 0, GFN, 1);
	ink_files_evict(&g->vm);
	guest_check(g);
	ck_assert_ptr_nonnull(SPAGE(hap, SERIAL, 0));
	k_page(g, GFN);
	ink_files_evict(&g->vm);
	guest_check(g);
	ck_assert_ptr_null(SPAGE(hap, SERIAL, 0));
	ck_assert_ptr_nonnull(SPAGE(hap, SERIAL, KVM_INKTAG_FETCH));
	ck_assert_uint_lt(g->vm.records, before);
	read_in(0, GFN);
	reads(0, 0, GFN, 1);
	reads(0, KVM_INKTAG_FETCH, GFN + 1, 4);
	/* the version before, which the store has too, is not accepted */
	writes(0, 0, GFN, 5);
	k_page(g, GFN);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
	ink_files_evict(&g->vm);
	read_in(0, GFN);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, VA(0), GFN, TOKEN);
}
END_TEST

START_TEST(evicted_for_others)
{
	u64 i;

	length(INKTAG_LENGTH_REACH, PAGES * PAGE);
	for (i = 0; i < PAGES; i++) {
		writes(0, i, GFN, i + 1);
		write_back(i, GFN);
	}
	ink_files_evict(&g->vm);
	/* room for the records of one part of the file, and a bit: four for each frame */
	g->vm.limits.frames = (g->vm.records + KVM_INKTAG_FETCH) / 4 + 5;
	for (i = 0; i < 3 * PAGES; i += 17) {
		read_in(i % PAGES, GFN);
		reads(0, i % PAGES, GFN, i % PAGES + 1);
		k_page(g, GFN);
	}
	ck_assert_uint_le(g->vm.records, INK_RECORDS(&g->vm.limits));
}
END_TEST

/* --- length ------------------------------------------------------------------------------------------- */

START_TEST(lengths)
{
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 5000), 5000);
	ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 100), 5000);
	ck_assert_int_eq(length(INKTAG_LENGTH_SET, 20000), 20000);
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), 20000);
	REFUSED(g, -EINVAL, ink_file_length(hap, SERIAL, INKTAG_LENGTH_SET, INKTAG_LENGTH_MAX + 1));
	REFUSED(g, -EINVAL, ink_file_length(hap, SERIAL, INKTAG_LENGTH_OP_COUNT, 0));
	sync_all(0);
	ck_assert_uint_eq(store_length(st, first), 20000);
}
END_TEST

/* What was cut off does not come back, neither from memory nor from the store. */
START_TEST(cut)
{
	u64 to = _i ? 2 * PAGE : 0;

	length(INKTAG_LENGTH_REACH, 4 * PAGE);
	writes(0, 0, GFN, 1);
	writes(0, 3, GFN + 3, 4);
	sync_all(4);
	memcpy(disk[3], k_page(g, GFN + 3), PAGE);
	ck_assert_int_eq(length(INKTAG_LENGTH_SET, to), to);
	ink_files_evict(&g->vm);
	read_in(3, GFN + 3);
	reads(0, 3, GFN + 3, 0);
	if (to) {
		ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 4 * PAGE), -EBUSY);
		sync_all(1);
	}
	ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 4 * PAGE), 4 * PAGE);
	reads(0, 3, GFN + 3, 0);
	ink_files_evict(&g->vm);
	reads(0, 3, GFN + 3, 0);
	if (to)
		reads(0, 0, GFN, 1);
	else
		reads(0, 0, GFN, 0);
	sync_all(0);
	crash();
	read_in(3, GFN + 3);
	reads(0, 3, GFN + 3, 0);
}
END_TEST

/* Written beyond the cut, and given to the disk, before the length reaches it again: it does not go with the cut. */
START_TEST(written_beyond_cut)
{
	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 1, GFN + 1, 1);
	sync_all(0);
	ck_assert_int_eq(length(INKTAG_LENGTH_SET, _i ? PAGE : 0), _i ? PAGE : 0);
	writes(0, 1, GFN + 1, 2);
	write_back(1, GFN + 1);
	if (_i) {
		ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 2 * PAGE), -EBUSY);
		sync_all(0);
	}
	ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 2 * PAGE), 2 * PAGE);
	sync_all(0);
	ink_files_evict(&g->vm);
	reads(0, 1, GFN + 1, 2);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_serve(st, g);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	read_in(1, GFN + 1);
	reads(0, 1, GFN + 1, 2);
}
END_TEST

/* The store does not take the cut when the last HAP leaves the file: it is not forgotten for that. */
START_TEST(cut_and_left)
{
	u64 n;

	length(INKTAG_LENGTH_REACH, 3 * PAGE);
	writes(0, 2, GFN + 2, 9);
	sync_all(0);
	for (n = 1; n <= KVM_INKTAG_VERSIONS; n++) {
		writes(0, 0, GFN, n);
		write_back(0, GFN);
	}
	if (_i)
		writes(0, 0, GFN, n);
	ck_assert_int_eq(length(INKTAG_LENGTH_SET, 2 * PAGE), 2 * PAGE);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	if (!_i)
		store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EIO);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 1);
	announce(GFN, INKTAG_IO_ANNOUNCE);
	announce(GFN, INKTAG_IO_FLUSHED);
	ck_assert_uint_eq(g->vm.nr_files, 0);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), 2 * PAGE);
}
END_TEST

/*
 * Cut off, and written again, which the disk does not get before the crash: what it has is no version of the page any more,
 * and zeros. A page that was never cut off has no such excuse.
 */
START_TEST(cut_and_written_again)
{
	length(INKTAG_LENGTH_REACH, 4 * PAGE);
	writes(0, 1, GFN + 1, 1);
	writes(0, 2, GFN + 2, 1);
	sync_all(4);
	memcpy(disk[1], k_page(g, GFN + 1), PAGE);
	memcpy(disk[2], k_page(g, GFN + 2), PAGE);
	if (_i == 2) {
		/* sealed, and written, without the store's knowledge: beyond the length, and then in the other VM */
		writes(0, 5, GFN + 5, 1);
		memcpy(disk[5], k_page(g, GFN + 5), PAGE);
	}
	length(INKTAG_LENGTH_SET, _i ? PAGE : 0);
	if (_i) {
		ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 2 * PAGE), -EBUSY);
		sync_all(0);
	}
	length(INKTAG_LENGTH_REACH, 7 * PAGE);
	writes(0, 1, GFN + 1, 2);
	writes(0, 5, GFN + 5, 2);
	writes(0, 6, GFN + 6, 2);
	ck_assert_int_eq(announce(GFN + 1, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_int_eq(announce(GFN + 5, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_int_eq(announce(GFN + 6, INKTAG_IO_ANNOUNCE), 0);
	memset(disk[6], 'x', PAGE);
	crash();
	read_in(1, GFN + 1);
	reads(0, 1, GFN + 1, 0);
	read_in(2, GFN + 2);
	reads(0, 2, GFN + 2, 0);
	read_in(5, GFN + 5);
	if (_i == 2)
		reads(0, 5, GFN + 5, 0);
	read_in(6, GFN + 6);
	ck_assert_int_eq(touch(0, 6, INK_READ, GFN + 6).verdict, INK_LOST);
	/* and when it is durable, nothing else is accepted */
	writes(0, 1, GFN + 1, 3);
	sync_all(2);
	crash();
	memcpy(disk[1], disk[2], PAGE);
	read_in(1, GFN + 1);
	ck_assert_int_eq(touch(0, 1, INK_READ, GFN + 1).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, VA(1), GFN + 1, TOKEN);
}
END_TEST

/* That the disk may have it is told to the store: when the file has nothing left; of what an earlier VM wrote; in time. */
START_TEST(cut_is_told)
{
	const u64 page = _i == 2 ? 9 : 1;
	s64 mark;

	length(INKTAG_LENGTH_REACH, 4 * PAGE);
	writes(0, 1, GFN + 1, 1);
	sync_all(4);
	memcpy(disk[1], k_page(g, GFN + 1), PAGE);
	if (_i == 0) {
		length(INKTAG_LENGTH_SET, 0);
		length(INKTAG_LENGTH_REACH, 1);
		crash();
	} else if (_i == 1) {
		crash();
		length(INKTAG_LENGTH_SET, PAGE);
		sync_all(0);
	} else {
		length(INKTAG_LENGTH_SET, PAGE);
		mark = sync_step(INKTAG_SYNC_BEGIN, 0);
		ck_assert_int_eq(ink_file_sync(hap, SERIAL, INKTAG_SYNC_SEAL, mark), -EINPROGRESS);
		/* beyond the end, and cut off before the store answers */
		hap_write(g, 0, VA(page), GFN + page, TOKEN, 1);
		memcpy(disk[page], k_page(g, GFN + page), PAGE);
		ck_assert_int_eq(ink_file_length(hap, SERIAL, INKTAG_LENGTH_SET, PAGE - 1), PAGE - 1);
		sync_all(0);
	}
	length(INKTAG_LENGTH_REACH, 10 * PAGE);
	writes(0, page, GFN + page, 2);
	ck_assert_int_eq(announce(GFN + page, INKTAG_IO_ANNOUNCE), 0);
	crash();
	read_in(page, GFN + page);
	reads(0, page, GFN + page, 0);
}
END_TEST

/* The disk has what was written beyond the end, for which there never was a record; then the file reaches it, as zeros. */
START_TEST(beyond_on_the_disk)
{
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	writes(0, 3, GFN + 3, 9);
	if (_i) {
		memcpy(disk[3], k_page(g, GFN + 3), PAGE);
		ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
		store_serve(st, g);
		ck_assert_uint_eq(g->vm.nr_files, 0);
	} else {
		write_back(3, GFN + 3);
	}
	crash();
	length(INKTAG_LENGTH_SET, 4 * PAGE);
	sync_all(0);
	writes(0, 3, GFN + 3, 2);
	ck_assert_int_eq(announce(GFN + 3, INKTAG_IO_ANNOUNCE), 0);
	crash();
	read_in(3, GFN + 3);
	reads(0, 3, GFN + 3, 0);
}
END_TEST

/*
 * Cut, and written where it was: the disk gets what no record describes. By then the store knows that the page is no more;
 * when the file is left, too.
 */
START_TEST(cut_before_the_disk)
{
	struct access a;

	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 1, GFN + 1, 1);
	sync_all(2);
	writes(0, 1, GFN + 1, 2);
	if (_i == 1)
		k_page(g, GFN + 1);
	length(INKTAG_LENGTH_SET, PAGE);
	if (_i == 2) {
		writes(0, 1, GFN + 1, 3);
		k_page(g, GFN + 1);
		ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	}
	if (!_i)
		writes(0, 1, GFN + 1, 3);
	write_back(1, GFN + 1);
	crash();
	read_in(1, GFN + 1);
	a = touch(0, 1, INK_READ, GFN + 1);
	ck_assert_int_eq(a.verdict, INK_MAPPED);
	ck_assert(is_zero(a.page, PAGE));
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), PAGE);
}
END_TEST

/* Longer, in the store, and cut before that was durable. */
START_TEST(cut_unsettled)
{
	length(INKTAG_LENGTH_REACH, 4 * PAGE);
	writes(0, 0, GFN, 1);
	write_back(0, GFN);
	ck_assert_int_eq(length(INKTAG_LENGTH_SET, _i ? PAGE : 0), _i ? PAGE : 0);
	writes(0, 0, GFN, 2);
	if (_i) {
		if (_i == 2)
			write_back(0, GFN);
		ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 2 * PAGE), -EBUSY);
		sync_all(1);
	}
	ck_assert_int_eq(length(INKTAG_LENGTH_REACH, 2 * PAGE), 2 * PAGE);
	reads(0, 0, GFN, 2);
}
END_TEST

/* Pages beyond the length are not the store's business until the length has reached them. */
START_TEST(beyond)
{
	writes(0, 0, GFN, 1);
	k_page(g, GFN);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 0);
	length(INKTAG_LENGTH_REACH, 10);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	writes(0, 5, GFN + 5, 6);
	ck_assert_int_eq(length(INKTAG_LENGTH_SET, 7 * PAGE), 7 * PAGE);
	reads(0, 5, GFN + 5, 0);
	/* and when nobody has the file any more, they are no more */
	sync_all(1);
	writes(0, 9, GFN + 9, 6);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 0);
}
END_TEST

/* --- the end of a file, and of the VM -------------------------------------------------------------------- */

START_TEST(left)
{
	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 0, GFN, 1);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	guest_check(g);
	ck_assert(!ink_gfn_is_held(&g->vm, GFN, 1));
	store_serve(st, g);
	/* what the disk has not been given yet stays known */
	ck_assert_uint_eq(g->vm.nr_files, 1);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	write_back(0, GFN);
	ck_assert_uint_eq(g->vm.nr_files, 0);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), 2 * PAGE);
	reads(0, 0, GFN, 1);
	/* a length alone, longer and shorter */
	for (int i = 3; i >= 1; i -= 2) {
		ck_assert_int_eq(length(INKTAG_LENGTH_SET, i * PAGE), i * PAGE);
		ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
		store_serve(st, g);
		ck_assert_uint_eq(g->vm.nr_files, 0);
		ck_assert_int_eq(file_open(0, SERIAL, first), 0);
		ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), i * PAGE);
	}
	reads(0, 0, GFN, 1);
}
END_TEST

/* Nor does it take what of a cut the disk may have. */
START_TEST(left_stale)
{
	length(INKTAG_LENGTH_REACH, PAGE);
	sync_all(0);
	writes(0, 5, GFN + 5, 1);
	k_page(g, GFN + 5);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EIO);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 1);
	ck_assert_int_eq(announce(GFN + 5, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_uint_eq(g->vm.nr_files, 0);
}
END_TEST

/* Files that are kept for their last writeback make room for those that are opened. */
START_TEST(left_make_room)
{
	static const u64 third[2] = { 7, 7 }, fourth[2] = { 8, 8 };

	store_add(st, third, 1);
	store_add(st, fourth, 1);
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_serve(st, g);
	ck_assert_int_eq(file_open(0, 91, second), 0);
	ck_assert_int_eq(file_open(0, 92, third), 0);
	ck_assert_uint_eq(g->vm.nr_files, 3);
	ck_assert_int_eq(file_open(0, 93, fourth), 0);
	ck_assert_uint_eq(g->vm.nr_files, 3);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
}
END_TEST

/* Who syncs need not be who wrote. */
START_TEST(synced_by_another)
{
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	writes(0, 0, GFN, 2);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 1);
	ck_assert_uint_eq(store_versions(st, first, 0), 2);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	sync_all(0);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
}
END_TEST

/* The store does not take what it had to be told: it stays, until it does. */
START_TEST(left_unannounced)
{
	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	sync_all(0);
	writes(0, 0, GFN, 1);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EBUSY);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 1);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), 2 * PAGE);
	reads(0, 0, GFN, 1);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EBUSY);
	store_serve(st, g);
	ink_files_evict(&g->vm);
	ck_assert_uint_eq(g->vm.nr_files, 1);
	write_back(0, GFN);
	ck_assert_uint_eq(g->vm.nr_files, 0);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), 2 * PAGE);
	reads(0, 0, GFN, 1);
}
END_TEST

START_TEST(left_without_name)
{
	static const u64 unnamed[2] = { 9, 9 };

	store_add(st, unnamed, 0);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	ck_assert_int_eq(file_open(0, SERIAL, unnamed), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_REACH, PAGE), PAGE);
	writes(0, 0, GFN, 1);
	hap_kill(g, hap);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 0);
	ck_assert(!store_has(st, unnamed));
}
END_TEST

/* Its last name goes while the kernel still has data of it to write. */
START_TEST(removed_when_left)
{
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EBUSY);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 1);
	store_remove(st, first);
	ck_assert_int_eq(announce(GFN, INKTAG_IO_ANNOUNCE), 0);
	ck_assert_uint_eq(g->vm.nr_files, 0);
}
END_TEST

/* The store cannot say whether it has a name: it is asked once, all the same. */
START_TEST(release_fails)
{
	store_refuse(st, KVM_INKTAG_STORE_RELEASE, -EIO);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	ck_assert_uint_eq(store_serve(st, g), 1);
	ck_assert_uint_eq(g->vm.nr_files, 0);
	ck_assert(store_has(st, first));
}
END_TEST

/* The first sync after a crash is none of what was there before. */
START_TEST(synced_after_crash)
{
	static u8 old[PAGE];

	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	memcpy(old, disk[0], PAGE);
	writes(0, 0, GFN, 2);
	write_back(0, GFN);
	crash();
	writes(0, 1, GFN + 1, 3);
	sync_all(0);
	memcpy(disk[0], old, PAGE);
	read_in(0, GFN);
	reads(0, 0, GFN, 1);
}
END_TEST

/* Opened again while the store is told that nobody has it. */
START_TEST(opened_while_left)
{
	static const u64 unnamed[2] = { 9, 9 };

	store_add(st, unnamed, 0);
	ck_assert_int_eq(file_open(0, 91, unnamed), 0);
	ck_assert_int_eq(ink_object_leave(hap, 91), 0);
	ck_assert_int_eq(ink_file_open(g->cpu[0].thread, 91, unnamed), -EINPROGRESS);
	ck_assert_int_eq(file_open(0, 91, unnamed), -ENOENT);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
}
END_TEST

START_TEST(reset)
{
	const struct kvm_inktag_store *r;
	struct kvm_inktag_store answer = { 0 };

	ck_assert_int_eq(ink_file_open(g->cpu[0].thread, 91, second), -EINPROGRESS);
	ck_assert_int_eq(ink_store_take(&g->vm, &r), 0);
	answer.id = r->id;
	hap_kill(g, hap);
	ink_vm_reset(&g->vm);
	guest_check(g);
	ck_assert_uint_eq(g->vm.nr_files, 0);
	REFUSED(g, -ESTALE, ink_store_answer(&g->vm, &answer));
	REFUSED(g, -ENODATA, ink_store_take(&g->vm, &r));
}
END_TEST

/* --- after a crash ---------------------------------------------------------------------------------------- */

START_TEST(durable)
{
	length(INKTAG_LENGTH_REACH, 5000);
	writes(0, 0, GFN, 1);
	writes(0, 1, GFN + 1, 2);
	sync_all(2);
	crash();
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), 5000);
	read_in(0, GFN);
	read_in(1, GFN + 1);
	reads(0, 0, GFN, 1);
	reads(0, 1, GFN + 1, 2);
	ck_assert_uint_eq(store_count(st, KVM_INKTAG_STORE_RESOLVE), 0);
	/* F1: no version comes again */
	writes(0, 0, GFN, 3);
	sync_all(1);
	reads(0, 0, GFN, 3);
}
END_TEST

/* The disk may have the version that was synced, or the one that was on its way. Then only that one is right. */
START_TEST(either)
{
	static u8 old[PAGE], new[PAGE];

	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	memcpy(old, disk[0], PAGE);
	writes(0, 0, GFN, 2);
	write_back(0, GFN);
	memcpy(new, disk[0], PAGE);
	crash();
	memcpy(disk[0], _i ? new : old, PAGE);
	read_in(0, GFN);
	reads(0, 0, GFN, _i ? 2 : 1);
	ck_assert_uint_eq(store_count(st, KVM_INKTAG_STORE_RESOLVE), 1);
	ck_assert_uint_eq(store_versions(st, first, 0), 1);
	k_page(g, GFN);
	memcpy(disk[0], _i ? old : new, PAGE);
	read_in(0, GFN);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, VA(0), GFN, TOKEN);
}
END_TEST

/* A page of which no version was synced may be a hole on the disk. */
START_TEST(hole)
{
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	write_back(0, GFN);
	crash();
	ck_assert_int_eq(length(INKTAG_LENGTH_GET, 0), PAGE);
	memset(disk[0], 0, PAGE);
	read_in(0, GFN);
	reads(0, 0, GFN, 0);
	ck_assert_uint_eq(store_versions(st, first, 0), 0);
}
END_TEST

/* Neither: an error, until the page is written. */
START_TEST(neither)
{
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	writes(0, 0, GFN, 2);
	write_back(0, GFN);
	crash();
	memset(disk[0], _i, PAGE);
	read_in(0, GFN);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_LOST);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_LOST);
	expect_no_violation(g);
	crash();
	read_in(0, GFN);
	/* nor can a part of it be written; what is cut off is lost no more */
	ck_assert_int_eq(touch(0, 0, INK_WRITE, GFN).verdict, INK_LOST);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_LOST);
	ck_assert_int_eq(length(INKTAG_LENGTH_SET, 0), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_REACH, PAGE), PAGE);
	writes(0, 0, GFN, 3);
	sync_all(1);
	reads(0, 0, GFN, 3);
	crash();
	read_in(0, GFN);
	reads(0, 0, GFN, 3);
}
END_TEST

/* It is looked for again in the next VM: its data may be back, the disk of the day before, say. */
START_TEST(neither_and_back)
{
	static u8 right[PAGE];

	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	writes(0, 0, GFN, 2);
	write_back(0, GFN);
	memcpy(right, disk[0], PAGE);
	crash();
	memset(disk[0], 1, PAGE);
	read_in(0, GFN);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_LOST);
	crash();
	memcpy(disk[0], right, PAGE);
	read_in(0, GFN);
	reads(0, 0, GFN, 2);
}
END_TEST

/* A frame that holds another page has nothing to say about this one: an attack, and not a page that is lost. */
START_TEST(doubt_and_held_frame)
{
	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 0, GFN, 1);
	write_back(0, GFN);
	crash();
	writes(0, 1, GFN + 1, 2);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN + 1).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_FRAME, VA(0), GFN + 1, TOKEN);
	ck_assert_uint_eq(store_count(st, KVM_INKTAG_STORE_RESOLVE), 0);
}
END_TEST

/* One accepted version, and something else on the disk: that is no crash. */
START_TEST(rolled_back)
{
	static u8 old[PAGE];

	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	memcpy(old, disk[0], PAGE);
	writes(0, 0, GFN, 2);
	sync_all(1);
	crash();
	memcpy(disk[0], old, PAGE);
	read_in(0, GFN);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_TAG, VA(0), GFN, TOKEN);
}
END_TEST

/* The frame whose content is looked at is another page's. */
START_TEST(doubt_elsewhere)
{
	length(INKTAG_LENGTH_REACH, 2 * PAGE);
	writes(0, 0, GFN, 1);
	write_back(0, GFN);
	crash();
	hap_write(g, 0, DATA_VA, GFN, T_DATA, 4);
	ck_assert_int_eq(touch(0, 0, INK_READ, GFN).verdict, INK_KILL);
	expect_violation(g, hap->id, INKTAG_CHECK_FRAME, VA(0), GFN, TOKEN);
	hap_reads(g, 0, DATA_VA, 4);
}
END_TEST

/* --- answers that make no sense --------------------------------------------------------------------------- */

struct nonsense {
	const char *what;
	u32 op, count;
	u64 value[4];
	struct kvm_inktag_record record[6];
};

static const struct nonsense nonsense[] = {
	{ "too many", KVM_INKTAG_STORE_FETCH, KVM_INKTAG_RECORDS + 1, { 0 }, { { 0 } } },
	{ "not asked for", KVM_INKTAG_STORE_FETCH, 1, { 0 }, { { KVM_INKTAG_FETCH, 5, 1, 0, { 0 } } } },
	{ "not in order", KVM_INKTAG_STORE_FETCH, 2, { 0 }, { { 2, 5, 1, 0, { 0 } }, { 1, 6, 1, 0, { 0 } } } },
	{ "no version", KVM_INKTAG_STORE_FETCH, 1, { 0 }, { { 2, 0, 1, 0, { 0 } } } },
	{ "five versions", KVM_INKTAG_STORE_FETCH, 5, { 0 }, { { 2, 5, 1, 0, { 0 } }, { 2, 4, 1, 0, { 0 } },
	  { 2, 3, 1, 0, { 0 } }, { 2, 2, 1, 0, { 0 } }, { 2, 1, 1, 0, { 0 } } } },
	{ "no versions", KVM_INKTAG_STORE_RESERVE, 0, { 9, 0, 1 }, { { 0 } } },
	{ "version 0", KVM_INKTAG_STORE_RESERVE, 0, { 0, 9, 1 }, { { 0 } } },
	{ "versions past the last", KVM_INKTAG_STORE_RESERVE, 0, { U64_MAX - 2, 9, 1 }, { { 0 } } },
	{ "a salt of 33 bits", KVM_INKTAG_STORE_RESERVE, 0, { 9, 9, 1ULL << 32 }, { { 0 } } },
	{ "a ticket of 64 bits", KVM_INKTAG_STORE_PREPARE, 0, { 1ULL << 63 }, { { 0 } } },
	{ "an older ticket", KVM_INKTAG_STORE_PREPARE, 0, { 0 }, { { 0 } } },
	{ "an older ticket of a clearing", KVM_INKTAG_STORE_CLEAR, 0, { 0 }, { { 0 } } },
	{ "a ticket of a clearing, of 64 bits", KVM_INKTAG_STORE_CLEAR, 0, { 1ULL << 63 }, { { 0 } } },
};

START_TEST(answers)
{
	const struct nonsense *n = &nonsense[_i];
	struct kvm_inktag_store a = { .count = n->count };
	const struct kvm_inktag_store *r;
	struct ink_file *f = file();

	memcpy(a.value, n->value, sizeof(a.value));
	memcpy(a.record, n->record, sizeof(n->record));
	length(INKTAG_LENGTH_REACH, PAGE);
	f->ticket = 3;
	if (n->op == KVM_INKTAG_STORE_CLEAR)
		length(INKTAG_LENGTH_SET, 0);
	if (n->op == KVM_INKTAG_STORE_FETCH)
		ck_assert_int_eq(ink_file_ready(f, 0, INK_READ), -EINPROGRESS);
	else if (n->op == KVM_INKTAG_STORE_RESERVE)
		ck_assert_int_eq(ink_ask_reserve(f), -EINPROGRESS);
	else if (n->op == KVM_INKTAG_STORE_CLEAR)
		ck_assert_int_eq(ink_file_length(hap, SERIAL, INKTAG_LENGTH_REACH, 1), -EINPROGRESS);
	else
		ck_assert_int_eq(ink_file_sync(hap, SERIAL, INKTAG_SYNC_SEAL, 1), -EINPROGRESS);
	ck_assert_int_eq(ink_store_take(&g->vm, &r), 0);
	ck_assert_uint_eq(r->op, n->op);
	a.id = r->id + 1;
	REFUSED(g, -ESTALE, ink_store_answer(&g->vm, &a));
	a.id = r->id;
	ck_assert_msg(ink_store_answer(&g->vm, &a) == -EINVAL, "%s", n->what);
	guest_check(g);
	ck_assert_ptr_null(SPAGE(hap, SERIAL, 2));
	ck_assert_uint_eq(f->versions, 0);
	ck_assert_uint_eq(f->ticket, 3);
	ck_assert_int_eq(f->failed, -EIO);
	REFUSED(g, -ESTALE, ink_store_answer(&g->vm, &a));
	f->ticket = 0;
	f->failed = 0;
	writes(0, 0, GFN, 1);
	reads(0, 0, GFN, 1);
}
END_TEST

START_TEST(fetched_without_memory)
{
	u64 n;

	length(INKTAG_LENGTH_REACH, 3 * PAGE);
	writes(0, 0, GFN, 1);
	sync_all(1);
	writes(0, 0, GFN, 2);
	write_back(0, GFN);
	crash();
	read_in(0, GFN);
	for (n = 1; ; n++) {
		enum ink_verdict v;

		k_hint(hap, VA(0), GFN, 7, TOKEN);
		fail_allocation(n, 1);
		v = touch(0, 0, INK_WRITE, GFN).verdict;
		fail_allocation(0, 0);
		guest_check(g);
		if (v == INK_MAPPED)
			break;
		ck_assert_int_eq(v, INK_NOMEM);
	}
	ck_assert_uint_gt(n, 4);
	reads(0, 0, GFN, 2);
}
END_TEST

/* --- names ------------------------------------------------------------------------------------------------ */

static int ask_name(u64 va, const char *path, u64 answer[4])
{
	return UNTIL_ANSWERED(ink_file_name(g->cpu[0].thread, INKTAG_NAME_LOOKUP, va, strlen(path) + 1, answer));
}

START_TEST(names)
{
	const char *path = "/data/first";
	struct access a, b;
	u64 answer[4];

	a = hap_access_at(g, 0, DATA_VA, INK_WRITE, GFN + 50, T_DATA);
	b = hap_access_at(g, 0, DATA_VA + PAGE, INK_WRITE, GFN + 51, T_DATA);
	ck_assert_int_eq(a.verdict, INK_MAPPED);
	ck_assert_int_eq(b.verdict, INK_MAPPED);
	/* across two pages */
	memcpy((u8 *)a.page + PAGE - 5, path, 5);
	memcpy(b.page, path + 5, strlen(path + 5) + 1);
	ck_assert_int_eq(ask_name(DATA_VA + PAGE - 5, path, answer), 0);
	ck_assert_mem_eq(answer, first, sizeof(first));
	ck_assert_uint_eq(answer[3], 1);
	/* the length is that of now */
	length(INKTAG_LENGTH_REACH, 777);
	ck_assert_int_eq(ask_name(DATA_VA + PAGE - 5, path, answer), 0);
	ck_assert_uint_eq(answer[2], 777);
	ck_assert_int_eq(ask_name(DATA_VA + PAGE - 4, path + 1, answer), -ENOENT);
	store_refuse(st, KVM_INKTAG_STORE_NAME, -EDOM);
	ck_assert_int_eq(ask_name(DATA_VA + PAGE - 5, path, answer), -EIO);
	k_page(g, GFN + 51);
	REFUSED(g, -EAGAIN, ink_file_name(g->cpu[0].thread, 0, DATA_VA + PAGE - 5, 12, answer));
	REFUSED(g, -EAGAIN, ink_file_name(g->cpu[0].thread, 0, INKTAG_ARENA_BASE, 12, answer));
	REFUSED(g, -EINVAL, ink_file_name(g->cpu[0].thread, 0, DATA_VA, 0, answer));
	REFUSED(g, -EINVAL, ink_file_name(g->cpu[0].thread, 0, DATA_VA, INKTAG_NAME_MAX + 1, answer));
	REFUSED(g, -EINVAL, ink_file_name(g->cpu[0].thread, 0, INKTAG_USER_END - 5, 12, answer));
	REFUSED(g, -EINVAL, ink_file_name(g->cpu[0].thread, INKTAG_NAME_OP_COUNT, DATA_VA, 5, answer));
}
END_TEST

/* Of what has no name any more, and nobody has, nothing is kept. */
START_TEST(left_and_unlinked)
{
	struct access a = hap_access_at(g, 0, DATA_VA, INK_WRITE, GFN + 50, T_DATA);
	u64 answer[4];

	strcpy(a.page, "/data/first");
	length(INKTAG_LENGTH_REACH, PAGE);
	writes(0, 0, GFN, 1);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_serve(st, g);
	ck_assert_int_eq(ask_name(DATA_VA, "/data/first", answer), 0);
	ck_assert_uint_eq(g->vm.nr_files, 1);
	store_names(st, first, 0);
	ck_assert_int_eq(ask_name(DATA_VA, "/data/first", answer), 0);
	ck_assert_uint_eq(g->vm.nr_files, 0);
}
END_TEST

/* How many there are is known from what the store said last about them, of the files that somebody has. */
START_TEST(names_counted)
{
	struct access a = hap_access_at(g, 0, DATA_VA, INK_WRITE, GFN + 50, T_DATA);
	const struct kvm_inktag_store *r;
	u64 answer[4];

	strcpy(a.page, "/data/first");
	ck_assert_int_eq(length(INKTAG_LENGTH_NAMES, 0), 1);
	store_names(st, first, 3);
	ck_assert_int_eq(ask_name(DATA_VA, "/data/first", answer), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_NAMES, 0), 3);
	/* what comes with an error says nothing */
	ck_assert_int_eq(ink_file_name(g->cpu[0].thread, INKTAG_NAME_LOOKUP, DATA_VA, 12, answer), -EINPROGRESS);
	ck_assert_int_eq(ink_store_take(&g->vm, &r), 0);
	ck_assert_int_eq(ink_store_answer(&g->vm, &(struct kvm_inktag_store){ .id = r->id, .op = r->op, .result = -EIO,
		.oid = { first[0], first[1] }, .value[1] = 9 }), 0);
	ck_assert_int_eq(ink_file_name(g->cpu[0].thread, INKTAG_NAME_LOOKUP, DATA_VA, 12, answer), -EIO);
	ck_assert_int_eq(length(INKTAG_LENGTH_NAMES, 0), 3);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_serve(st, g);
	ck_assert_int_eq(ask_name(DATA_VA, "/data/first", answer), 0);
	store_names(st, first, 4);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_NAMES, 0), 4);
	/* of one that is left, and has something that the store does not know */
	writes(0, 0, GFN, 1);
	length(INKTAG_LENGTH_REACH, 10);
	store_refuse(st, KVM_INKTAG_STORE_PREPARE, -EIO);
	ck_assert_int_eq(ink_object_leave(hap, SERIAL), 0);
	store_serve(st, g);
	ck_assert_uint_eq(g->vm.nr_files, 1);
	store_names(st, first, 5);
	ck_assert_int_eq(file_open(0, SERIAL, first), 0);
	ck_assert_int_eq(length(INKTAG_LENGTH_NAMES, 0), 5);
}
END_TEST

/* An answer is for the call that asked, and nobody else's. */
START_TEST(answer_of_another)
{
	struct access a = hap_access_at(g, 0, DATA_VA, INK_WRITE, GFN + 50, T_DATA);
	u64 answer[4];

	strcpy(a.page, "/data/first");
	ck_assert_int_eq(ink_file_name(g->cpu[0].thread, INKTAG_NAME_LOOKUP, DATA_VA, 12, answer), -EINPROGRESS);
	/* there is a request: a second one waits, whoever makes it */
	ck_assert_int_eq(ink_file_ready(file(), 0, INK_READ), -EINPROGRESS);
	ck_assert_uint_eq(store_serve(st, g), 1);
	ck_assert_int_eq(ink_file_name(g->cpu[0].thread, INKTAG_NAME_UNLINK, DATA_VA, 12, answer), -EINPROGRESS);
	ck_assert_uint_eq(store_serve(st, g), 1);
	ck_assert_int_eq(ink_file_name(g->cpu[0].thread, INKTAG_NAME_LOOKUP, DATA_VA, 12, answer), -EINPROGRESS);
	ck_assert_uint_eq(store_serve(st, g), 1);
	ck_assert_int_eq(ink_file_name(g->cpu[0].thread, INKTAG_NAME_LOOKUP, DATA_VA, 12, answer), 0);
	ck_assert_mem_eq(answer, first, sizeof(first));
}
END_TEST

Suite *suite_file(void)
{
	Suite *s = suite_create("file");
	TCase *tc = unit_case("file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_store);
	tcase_add_test(tc, open_refused);
	tcase_add_test(tc, too_many);
	tcase_add_loop_test(tc, asker_ends, 0, 2);
	tcase_add_test(tc, without_memory);
	tcase_add_test(tc, written_and_read);
	tcase_add_test(tc, key_of_its_own);
	tcase_add_test(tc, shared_by_two);
	tcase_add_test(tc, two_windows);
	tcase_add_test(tc, child_has_it);
	tcase_add_test(tc, wrong_kind);
	tcase_add_loop_test(tc, attacked, 0, NR_ATTACKS);
	tcase_add_test(tc, announced);
	tcase_add_loop_test(tc, written_meanwhile, 0, 2);
	tcase_add_test(tc, too_many_versions);
	tcase_add_test(tc, flush_of_others);
	tcase_add_loop_test(tc, never_given, 0, 4);
	tcase_add_test(tc, given_by_frame);
	tcase_add_loop_test(tc, given_before_announced, 0, 3);
	tcase_add_test(tc, given_again_and_again);
	tcase_add_test(tc, given_before_opened);
	tcase_add_test(tc, end_of_another);
	tcase_add_test(tc, others_written_back);
	tcase_add_loop_test(tc, written_before_seal, 0, 4);
	tcase_add_loop_test(tc, beyond_on_the_disk, 0, 2);
	tcase_add_test(tc, synced);
	tcase_add_loop_test(tc, written_during_sync, 0, 2);
	tcase_add_test(tc, sync_of_many);
	tcase_add_test(tc, store_fails);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, evicted);
	tcase_add_test(tc, evicted_for_others);
	tcase_add_test(tc, lengths);
	tcase_add_loop_test(tc, cut, 0, 2);
	tcase_add_loop_test(tc, cut_and_written_again, 0, 3);
	tcase_add_loop_test(tc, cut_is_told, 0, 3);
	tcase_add_loop_test(tc, cut_before_the_disk, 0, 3);
	tcase_add_loop_test(tc, cut_unsettled, 0, 3);
	tcase_add_loop_test(tc, written_beyond_cut, 0, 2);
	tcase_add_loop_test(tc, cut_and_left, 0, 2);
	tcase_add_test(tc, beyond);
	tcase_add_test(tc, left);
	tcase_add_test(tc, left_unannounced);
	tcase_add_test(tc, left_stale);
	tcase_add_test(tc, left_make_room);
	tcase_add_test(tc, synced_by_another);
	tcase_add_test(tc, left_without_name);
	tcase_add_test(tc, removed_when_left);
	tcase_add_test(tc, release_fails);
	tcase_add_test(tc, synced_after_crash);
	tcase_add_test(tc, opened_while_left);
	tcase_add_test(tc, reset);
	tcase_add_test(tc, durable);
	tcase_add_loop_test(tc, either, 0, 2);
	tcase_add_test(tc, hole);
	tcase_add_loop_test(tc, neither, 0, 2);
	tcase_add_test(tc, neither_and_back);
	tcase_add_test(tc, doubt_and_held_frame);
	tcase_add_test(tc, rolled_back);
	tcase_add_test(tc, doubt_elsewhere);
	tcase_add_loop_test(tc, answers, 0, ARRAY_SIZE(nonsense));
	tcase_add_test(tc, fetched_without_memory);
	tcase_add_test(tc, names);
	tcase_add_test(tc, left_and_unlinked);
	tcase_add_test(tc, names_counted);
	tcase_add_test(tc, answer_of_another);
	suite_add_tcase(s, tc);
	return s;
}
