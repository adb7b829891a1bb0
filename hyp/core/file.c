// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - protected files: an object that the VM has, whose pages outlive the HAPs, the frames and the VM. What is
 * accepted as a page's content comes from the metadata store (store.c), and goes there before it can reach the
 * guest's disk. I2, I9; F1 to F5 of docs/files.md. (InkTag, "Storage"; Sego, "Crash consistency")
 */
#include "inktag.h"

struct ink_file *ink_file_find(struct ink_vm *vm, const u64 oid[2])
{
	struct ink_file *file;
	u64 nr;

	for (nr = 0; (file = ink_map_next(&vm->files, &nr, U64_MAX)); nr++)
		if (!memcmp(file->oid, oid, sizeof(file->oid)))
			return file;
	return NULL;
}

int ink_file_open(struct ink_thread *t, u64 serial, const u64 oid[2])
{
	struct ink_hap *hap = t->hap;
	struct ink_vm *vm = hap->vm;
	struct ink_file *file;
	int err;

	ink_assert_locked(vm);
	if (!vm->limits.files)
		return -EOPNOTSUPP;
	if (!serial || serial >= INKTAG_SERIAL_END)
		return -EINVAL;
	if (ink_map_get(&hap->objects, serial))
		return -EEXIST;
	file = ink_file_find(vm, oid);
	if (!file && vm->nr_files >= vm->limits.files)
		ink_files_free_left(vm);
	if (!file && vm->nr_files >= vm->limits.files)
		return -ENOSPC;
	if (!file || file->leaving || file->left)
		return ink_ask_open(t, serial, oid);
	err = ink_map_set(&hap->objects, serial, &file->obj);
	if (err)
		return err;
	memset(&t->asked, 0, sizeof(t->asked));
	file->opener = 0;
	file->obj.refs++;
	return 0;
}

int ink_file_new(struct ink_vm *vm, const u64 oid[2], const struct kvm_inktag_store *a, struct ink_file **out)
{
	struct ink_file *file = ink_file_find(vm, oid);
	int err = -ENOMEM;

	if (file) {			/* it was told that nobody has it */
		file->left = false;
		file->names = a->value[2];
		*out = file;
		return 0;
	}
	if (a->value[0] > INKTAG_LENGTH_MAX || a->value[1] >> 63 || a->value[2] >> 63)
		return -EINVAL;
	file = ink_zalloc(sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->vm = vm;
	file->nr = vm->last_file + 1;
	memcpy(file->oid, oid, sizeof(file->oid));
	file->obj.shared = true;
	file->obj.file = file;
	file->length = file->stored = a->value[0];
	file->ticket = a->value[1];
	file->names = a->value[2];
	file->cut = U64_MAX;
	file->reach = ink_pages_of(file->length);
	file->writes = 1;
	ink_map_init(&file->obj.pages);
	ink_map_init(&file->unannounced);
	ink_map_init(&file->known);
	file->key = ink_key_new(a->key);
	if (file->key)
		err = ink_map_set(&vm->files, file->nr, file);
	if (err) {
		ink_key_free(file->key);
		ink_free(file);
		return err;
	}
	vm->last_file++;
	vm->nr_files++;
	*out = file;
	return 0;
}

static void file_free(struct ink_file *file)
{
	struct ink_vm *vm = file->vm;
	u64 chunk;

	ink_object_clear(&file->obj, 0, U64_MAX);
	for (chunk = 0; ink_map_next(&file->known, &chunk, U64_MAX); chunk++)
		ink_record_uncharge(vm);
	ink_map_destroy(&file->obj.pages);
	ink_map_destroy(&file->unannounced);
	ink_map_destroy(&file->known);
	ink_key_free(file->key);
	ink_map_del(&vm->files, file->nr);
	vm->nr_files--;
	ink_free(file);
}

void ink_files_free(struct ink_vm *vm)
{
	struct ink_file *file;
	u64 nr;

	for (nr = 0; (file = ink_map_next(&vm->files, &nr, U64_MAX)); nr++)
		file_free(file);
}

/* The kernel still has what was sealed of them, and on its disk; and nobody knows the versions any more. */
static void drop_beyond(struct ink_file *file, u64 end)
{
	ink_object_clear(&file->obj, end, U64_MAX);
	if (file->reach > end)
		file->stale = max(file->stale, file->reach);
}

/*
 * Nobody reads or writes it: its frames can go. What the store does not know yet stays, encrypted; what is beyond the
 * length means nothing to anybody.
 */
void ink_file_left(struct ink_file *file)
{
	struct ink_spage *s;
	u64 index;

	drop_beyond(file, ink_pages_of(file->length));
	for (index = 0; (s = ink_map_next(&file->obj.pages, &index, U64_MAX)); index++) {
		ink_spage_cloak(s);
		ink_relax();
	}
	file->opener = 0;
	file->leaving = true;
	ink_ask_release(file->vm);
}

void ink_files_left(struct ink_hap *opener)
{
	struct ink_vm *vm = opener->vm;
	struct ink_file *file;
	u64 nr;

	for (nr = 0; (file = ink_map_next(&vm->files, &nr, U64_MAX)); nr++)
		if (file->opener == opener->id)
			ink_file_left(file);
}

bool ink_file_end_is_stored(const struct ink_file *file)
{
	return file->length == file->stored && (file->cut == U64_MAX || file->cut_ticket) && file->stale <= file->told;
}

/* Is all that there is of it in the store, too? */
static bool is_stored(struct ink_file *file)
{
	u64 key = 0;

	return ink_file_end_is_stored(file) && !ink_map_next(&file->unannounced, &key, U64_MAX);
}

/* What the store does not know is needed, unless the file is no more; and so is what the disk was not given yet. */
static void free_unneeded(struct ink_file *file)
{
	if (file->left && !file->nr_outgoing && is_stored(file))
		file_free(file);
}

void ink_file_released(struct ink_file *file, u64 names)
{
	file->leaving = false;
	file->left = true;
	if (names)
		free_unneeded(file);
	else
		file_free(file);
}

/* --- pages ------------------------------------------------------------------------------------- */

static bool chunk_is_known(struct ink_file *file, u64 chunk)
{
	return ink_map_get(&file->known, chunk);
}

int ink_file_ready(struct ink_file *file, u64 index, u32 access)
{
	ink_assert_locked(file->vm);
	if (!chunk_is_known(file, index / KVM_INKTAG_FETCH))
		return ink_ask_fetch(file, index / KVM_INKTAG_FETCH);
	if (access == INK_WRITE && file->nr_dirty >= file->versions)
		return ink_ask_reserve(file);
	return 0;
}

static bool is_version(struct ink_spage *s, const struct kvm_inktag_record *v, const void *in, void *out)
{
	struct ink_seal_id id = s->id;

	id.version = v->version;
	id.salt = v->salt;
	return !ink_unseal(s->vm, s->file->key, &id, in, out, v->tag);
}

int ink_file_recover(struct ink_spage *s, u64 gfn)
{
	struct kvm_inktag_record found = { .index = s->id.index, .flags = KVM_INKTAG_RECORD_LOST };
	const struct ink_doubt *doubt = s->doubt;
	struct ink_vm *vm = s->vm;
	void *frame;
	int err;
	u32 i;

	frame = ink_frame_alloc(vm);
	if (!frame)
		return -ENOSPC;
	err = ink_guest_read(vm, gfn << INKTAG_PAGE_SHIFT, vm->bounce, INKTAG_PAGE_SIZE);
	for (i = 0; !err && found.flags && i < doubt->count; i++) {
		if (!is_version(s, &doubt->v[i], vm->bounce, frame))
			continue;
		found = doubt->v[i];
		found.flags = 0;
	}
	/* Who shows something else in place of what was cut off gets what he could have by showing zeros. */
	if (found.flags && doubt->zeros && (doubt->stale || !memcmp(vm->bounce, vm->zero, INKTAG_PAGE_SIZE)))
		found.flags = 0;
	ink_frame_free(vm, frame);
	return err ? err : ink_ask_resolve(s->file, &found);
}

static void end_outgoing(struct ink_spage *s)
{
	if (!s->outgoing)
		return;
	ink_map_del(&s->vm->outgoing, s->outgoing - 1);
	s->outgoing = 0;
	s->file->nr_outgoing--;
}

static void forget_key(struct ink_file *file, u64 *key)
{
	if (*key)
		ink_map_del(&file->unannounced, *key);
	*key = 0;
}

/* F6: a device that reads s's frame gets its newest version. */
static int be_outgoing(struct ink_spage *s)
{
	struct ink_map *outgoing = &s->vm->outgoing;
	struct ink_spage *before = ink_map_get(outgoing, s->gfn);
	int err;

	if (before == s)
		return 0;
	err = ink_map_set(outgoing, s->gfn, s);
	if (err)
		return err;
	if (before) {
		before->outgoing = 0;
		before->file->nr_outgoing--;
		if (before->file != s->file)
			free_unneeded(before->file);
	}
	end_outgoing(s);
	s->outgoing = s->gfn + 1;
	s->file->nr_outgoing++;
	return 0;
}

/* What is not announced may be so later: it is outgoing until then. */
static void given(struct ink_spage *s)
{
	s->device = s->id.version;
	if (s->written)
		return;
	s->ungiven = false;
	end_outgoing(s);
	free_unneeded(s->file);
}

/*
 * What was written before and is not announced keeps its place: a sync that has begun must find it. What is written while
 * the store is told of the version before has a place of its own, for the time after that.
 */
int ink_file_written(struct ink_spage *s)
{
	struct ink_file *file = s->file;
	u64 *key = s->asked ? &s->again : &s->written;
	int err;

	if (!*key) {
		err = ink_map_set(&file->unannounced, file->writes + 1, s);
		if (err)
			return err;
	}
	err = be_outgoing(s);
	if (err) {
		if (!*key)
			ink_map_del(&file->unannounced, file->writes + 1);
		return err;
	}
	if (!*key)
		*key = ++file->writes;
	file->reach = max(file->reach, s->id.index + 1);
	file->nr_dirty++;
	return 0;
}

void ink_file_sealed(struct ink_spage *s)
{
	struct ink_file *file = s->file;

	s->id.version = file->version++;	/* F1, F2 */
	s->id.salt = file->salt;
	file->versions--;
	file->nr_dirty--;
}

void ink_file_forget(struct ink_spage *s)
{
	if (s->state == INK_DIRTY)
		s->file->nr_dirty--;
	forget_key(s->file, &s->written);
	forget_key(s->file, &s->again);
	end_outgoing(s);
	ink_free(s->doubt);
}

static void stale_is_stored(struct ink_file *file, const struct kvm_inktag_store *r)
{
	file->told = max(file->told, r->value[2]);
}

/* A page that was in the request; what was written since is not. A device may have had it before, beyond the length. */
static void announced(struct ink_spage *s, u64 version, u64 ticket)
{
	struct ink_file *file = s->file;

	s->asked = false;
	s->ticket = ticket;
	s->ungiven = version != s->device;
	forget_key(file, &s->written);
	s->written = s->again;
	s->again = 0;
	if (!s->ungiven && !s->written)
		end_outgoing(s);
}

void ink_file_refused(struct ink_file *file, const struct kvm_inktag_store *r)
{
	struct ink_spage *s;
	u32 i;

	for (i = 0; i < r->count; i++) {
		s = ink_map_get(&file->obj.pages, r->record[i].index);
		if (!s || !s->asked)
			continue;
		s->asked = false;
		forget_key(file, &s->again);
	}
}

int ink_file_prepared(struct ink_file *file, const struct kvm_inktag_store *r, u64 ticket)
{
	struct ink_spage *s;
	u32 i;

	if (ticket >> 63 || ticket < file->ticket)
		return -EINVAL;
	for (i = 0; i < r->count; i++) {
		s = ink_map_get(&file->obj.pages, r->record[i].index);
		if (s && s->asked)
			announced(s, r->record[i].version, ticket);
	}
	stale_is_stored(file, r);
	file->ticket = ticket;
	file->stored = r->value[0];
	if (file->cut != U64_MAX && !file->cut_ticket && file->stored == file->length)
		file->cut_ticket = ticket;
	free_unneeded(file);
	return 0;
}

/* --- the cache of records ------------------------------------------------------------------------ */

static bool is_evictable(struct ink_file *file, u64 first, u64 last)
{
	struct ink_spage *s;

	for (; first <= last && (s = ink_map_next(&file->obj.pages, &first, last)); first++)
		if (s->state != INK_CLOAKED || s->written || (s->ungiven && s->ticket > file->settled))
			return false;
	return true;
}

/* F5 */
static void evict(struct ink_file *file)
{
	u64 chunk, first, last;

	for (chunk = 0; ink_map_next(&file->known, &chunk, U64_MAX); chunk++) {
		first = chunk * KVM_INKTAG_FETCH;
		last = first + KVM_INKTAG_FETCH - 1;
		if (!is_evictable(file, first, last))
			continue;
		ink_object_clear(&file->obj, first, last);
		ink_map_del(&file->known, chunk);
		ink_record_uncharge(file->vm);
		ink_relax();
	}
}

void ink_files_free_left(struct ink_vm *vm)
{
	struct ink_file *file;
	u64 nr;

	for (nr = 0; (file = ink_map_next(&vm->files, &nr, U64_MAX)); nr++)
		if (file->left && is_stored(file))
			file_free(file);
}

void ink_files_evict(struct ink_vm *vm)
{
	struct ink_file *file;
	u64 nr;

	ink_files_free_left(vm);
	for (nr = 0; (file = ink_map_next(&vm->files, &nr, U64_MAX)); nr++)
		evict(file);
}

static int add_version(struct ink_spage *s, const struct kvm_inktag_record *r)
{
	if (!s->doubt)
		s->doubt = ink_zalloc(sizeof(*s->doubt));
	if (!s->doubt)
		return -ENOMEM;
	if (s->doubt->count == KVM_INKTAG_VERSIONS)
		return -EINVAL;
	s->doubt->v[s->doubt->count++] = *r;
	s->doubt->zeros |= r->flags & KVM_INKTAG_RECORD_ZEROS;
	s->doubt->stale |= r->flags & KVM_INKTAG_RECORD_STALE;
	return 0;
}

/* A page of one version has no doubt. */
static void settle_doubt(struct ink_spage *s)
{
	const struct kvm_inktag_record *r = s->doubt->v;

	if (s->doubt->count > 1 || s->doubt->zeros)
		return;
	s->id.version = r->version;
	s->id.salt = r->salt;
	memcpy(s->tag, r->tag, sizeof(s->tag));
	ink_free(s->doubt);
	s->doubt = NULL;
}

static int add_records(struct ink_file *file, u64 first, u64 last, const struct kvm_inktag_record *r, u32 count)
{
	struct ink_spage *s = NULL;
	u32 i;
	int err;

	for (i = 0; i < count; i++) {
		if (r[i].index < first || r[i].index > last || !r[i].version || (i && r[i].index < r[i - 1].index))
			return -EINVAL;
		if (r[i].index >= file->cut)
			break;
		if (!s || s->id.index != r[i].index) {
			err = ink_object_add(&file->obj, r[i].index, &s);
			if (err)
				return err;
			s->ticket = file->ticket;
		}
		err = add_version(s, &r[i]);
		if (err)
			return err;
	}
	for (; first <= last && (s = ink_map_next(&file->obj.pages, &first, last)); first++)
		if (s->doubt)
			settle_doubt(s);
	return 0;
}

int ink_file_fetched(struct ink_file *file, u64 chunk, const struct kvm_inktag_record *r, u32 count)
{
	u64 first = chunk * KVM_INKTAG_FETCH, last = first + KVM_INKTAG_FETCH - 1;
	struct ink_vm *vm = file->vm;
	int err;

	if (chunk_is_known(file, chunk))
		return 0;
	if (vm->records + KVM_INKTAG_FETCH >= INK_RECORDS(&vm->limits))
		ink_files_evict(vm);
	err = ink_record_charge(vm);
	if (err)
		return err;
	err = add_records(file, first, last, r, count);
	if (!err)
		err = ink_map_set(&file->known, chunk, ink_map_value(1));
	if (err) {
		ink_object_clear(&file->obj, first, last);
		ink_record_uncharge(vm);
	}
	return err;
}

/* What the disk has of a page that was in doubt. */
void ink_file_found(struct ink_file *file, const struct kvm_inktag_record *r)
{
	struct ink_spage *s = ink_map_get(&file->obj.pages, r->index);

	if (!s || !s->doubt)
		return;
	if (!r->version && !r->flags) {
		ink_object_clear(&file->obj, r->index, r->index);
		return;
	}
	/* Of a lost one there is no version that is right. */
	s->lost = !r->version;
	s->doubt->v[0] = *r;
	s->doubt->count = 1;
	s->doubt->zeros = false;
	settle_doubt(s);
}

/* --- length and sync -------------------------------------------------------------------------------- */

/* Pages beyond both lengths read zero, whatever the store still has of them. */
static void set_length(struct ink_file *file, u64 length)
{
	u64 end = ink_pages_of(min(length, file->length));

	drop_beyond(file, end);
	if (length < file->length) {
		file->cut = min(file->cut, end);
		file->cut_ticket = 0;
	}
	file->length = length;
}

/*
 * A file that was made shorter grows only after the store has forgotten what was beyond. If it has nothing
 * left, no data need be durable for that.
 */
static int finish_cut(struct ink_file *file)
{
	if (file->cut == U64_MAX)
		return 0;
	return file->length ? -EBUSY : ink_ask_clear(file);
}

s64 ink_file_length(struct ink_hap *hap, u64 serial, u64 op, u64 value)
{
	struct ink_file *file = ink_object_file(hap, serial);
	int err = 0;

	ink_assert_locked(hap->vm);
	if (!file)
		return hap->vm->limits.files ? -ENOENT : -EOPNOTSUPP;
	if (op >= INKTAG_LENGTH_OP_COUNT || value > INKTAG_LENGTH_MAX)
		return -EINVAL;
	if ((op == INKTAG_LENGTH_REACH || op == INKTAG_LENGTH_SET) && value > file->length)
		err = finish_cut(file);
	if (err)
		return err;
	if (op == INKTAG_LENGTH_REACH)
		file->length = max(file->length, value);
	if (op == INKTAG_LENGTH_SET)
		set_length(file, value);
	return op == INKTAG_LENGTH_NAMES ? file->names : file->length;
}

static s64 seal_all(struct ink_file *file, u64 mark)
{
	int err;

	if (mark > file->writes)
		return -EINVAL;
	if (!mark)
		return file->ticket;
	err = ink_ask_prepare(file, mark, !ink_file_end_is_stored(file), NULL);
	return err ? err : (s64)file->ticket;
}

s64 ink_file_sync(struct ink_hap *hap, u64 serial, u64 op, u64 value)
{
	struct ink_file *file = ink_object_file(hap, serial);

	ink_assert_locked(hap->vm);
	if (!file)
		return hap->vm->limits.files ? -ENOENT : -EOPNOTSUPP;
	switch (op) {
	case INKTAG_SYNC_BEGIN:
		return file->writes;
	case INKTAG_SYNC_SEAL:
		return seal_all(file, value);
	case INKTAG_SYNC_SETTLE:
		if (value > file->ticket)
			return -EINVAL;
		return value <= file->settled ? 0 : ink_ask_settle(file, value);
	default:
		return -EINVAL;
	}
}

void ink_file_settled(struct ink_file *file, u64 ticket)
{
	file->settled = max(file->settled, ticket);
	if (!file->cut_ticket || ticket < file->cut_ticket)
		return;
	file->cut = U64_MAX;
	file->cut_ticket = 0;
}

int ink_file_cleared(struct ink_file *file, const struct kvm_inktag_store *r, u64 ticket)
{
	if (ticket >> 63 || ticket < file->ticket || file->length)
		return -EINVAL;
	stale_is_stored(file, r);
	file->stored = 0;
	file->ticket = ticket;
	file->cut_ticket = ticket;
	ink_file_settled(file, ticket);
	return 0;
}

/* What the store does not know of the files' ends, and the disk may get; no page, so that only the store can be the reason. */
static int announce_ends(struct ink_vm *vm, bool flushed)
{
	const struct ink_io io = { .flushed = flushed };
	struct ink_file *file;
	u64 nr;
	int err;

	for (nr = 0; (file = ink_map_next(&vm->files, &nr, U64_MAX)); nr++) {
		/* What is beyond a cut is in no record: the store must not take it for what was there before. */
		if ((!file->left && file->cut == U64_MAX) || ink_file_end_is_stored(file))
			continue;
		err = ink_ask_prepare(file, 0, true, &io);
		if (err)
			return err;
	}
	return 0;
}

/* Of what is beyond the length the store only has to know that it may be there. */
static bool is_to_be_announced(const struct ink_spage *s)
{
	return s->written && (s->id.index < ink_pages_of(s->file->length) || s->id.index >= s->file->told);
}

static int announce_frames(struct ink_vm *vm, const struct ink_io *io)
{
	struct ink_spage *s;
	int err = 0;
	u64 i;

	for (i = 0; !err && i < io->count; i++) {
		s = ink_map_get(&vm->outgoing, io->gfn + i);
		if (s && is_to_be_announced(s))
			err = ink_ask_prepare(s->file, U64_MAX, false, io);
	}
	return err;
}

int ink_before_io(struct ink_vm *vm, u64 gfn, u64 count, u64 step)
{
	const struct ink_io io = { .gfn = gfn, .count = count, .flushed = step == INKTAG_IO_FLUSHED };
	struct ink_spage *s;
	int err, err2;
	u64 i;

	ink_assert_locked(vm);
	if (!count || count > INKTAG_IO_MAX || gfn >= INK_GFN_END || step >= INKTAG_IO_STEP_COUNT)
		return -EINVAL;
	for (i = 0; i < count; i++)
		ink_gfn_touch(vm, gfn + i);
	/* Another file's end is no reason to keep these pages back: the kernel writes them in any case. */
	err = announce_ends(vm, io.flushed);
	if (err == -EINPROGRESS)
		return err;
	err2 = announce_frames(vm, &io);
	if (err2 == -EINPROGRESS)
		return err2;
	for (i = 0; i < count; i++) {
		s = ink_map_get(&vm->outgoing, gfn + i);
		if (s)
			given(s);
	}
	return err2 ? err2 : err;
}
