// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store.c - requests to the metadata store, which the VMM has (inktag/kvm.h). There is one at a time: whoever needs another
 * waits until it is answered. An answer changes what is known of the file; whoever waited finds it there.
 *
 * The VMM is trusted to be right; what it says is checked as far as a mistake could do harm here (I8).
 */
#include "inktag.h"

#define RESERVE		4096	/* versions at a time */

/* To be filled in; NULL: there is one. */
static struct kvm_inktag_store *new_request(struct ink_vm *vm, u32 op, const u64 oid[2])
{
	struct kvm_inktag_store *r = &vm->request;

	if (vm->request_state != INK_REQUEST_NONE)
		return NULL;
	*r = (struct kvm_inktag_store) { .id = r->id + 1, .op = op };
	if (oid)
		memcpy(r->oid, oid, sizeof(r->oid));
	vm->request_state = INK_REQUEST_MADE;
	vm->request_thread = 0;
	return r;
}

static int take_failure(struct ink_file *file, u32 op)
{
	int err = file->failed_op == op ? file->failed : 0;

	if (err)
		file->failed = 0;
	return err;
}

/* A request about a file: *r is NULL if it cannot be made now, or if the one before failed. */
static int ask(struct ink_file *file, u32 op, struct kvm_inktag_store **r)
{
	int err = take_failure(file, op);

	ink_assert_locked(file->vm);
	*r = err ? NULL : new_request(file->vm, op, file->oid);
	return err ? err : -EINPROGRESS;
}

int ink_ask_reserve(struct ink_file *file)
{
	struct kvm_inktag_store *r;
	int err = ask(file, KVM_INKTAG_STORE_RESERVE, &r);

	if (r)
		r->value[0] = RESERVE + file->nr_dirty;
	return err;
}

int ink_ask_fetch(struct ink_file *file, u64 chunk)
{
	struct kvm_inktag_store *r;
	int err = ask(file, KVM_INKTAG_STORE_FETCH, &r);

	if (r) {
		r->value[0] = chunk * KVM_INKTAG_FETCH;
		r->value[1] = r->value[0] + KVM_INKTAG_FETCH - 1;
	}
	return err;
}

int ink_ask_settle(struct ink_file *file, u64 ticket)
{
	struct kvm_inktag_store *r;
	int err = ask(file, KVM_INKTAG_STORE_SETTLE, &r);

	if (r)
		r->value[0] = ticket;
	return err;
}

static u64 unknown_stale(const struct ink_file *file)
{
	return file->stale > file->told ? file->stale : 0;
}

int ink_ask_clear(struct ink_file *file)
{
	struct kvm_inktag_store *r;
	int err = ask(file, KVM_INKTAG_STORE_CLEAR, &r);

	if (r)
		r->value[2] = unknown_stale(file);
	return err;
}

int ink_ask_resolve(struct ink_file *file, const struct kvm_inktag_record *found)
{
	struct kvm_inktag_store *r;
	int err = ask(file, KVM_INKTAG_STORE_RESOLVE, &r);

	if (r) {
		r->count = 1;
		r->record[0] = *found;
	}
	return err;
}

/* s is sealed. */
static void add_seal(struct kvm_inktag_store *r, struct ink_spage *s, bool durable)
{
	struct kvm_inktag_record *record = &r->record[r->count++];

	record->index = s->id.index;
	record->version = s->id.version;
	record->salt = s->id.salt;
	memcpy(record->tag, s->tag, sizeof(record->tag));
	record->flags = s->ungiven ? KVM_INKTAG_RECORD_REPLACES : durable ? KVM_INKTAG_RECORD_DURABLE : 0;
	s->asked = true;
}

static void prepare_page(struct kvm_inktag_store *r, struct ink_spage *s, bool durable)
{
	struct ink_file *file = s->file;

	/* What is beyond the length goes with the cut, in the store, too: no record says what the disk may get of it. */
	if (s->id.index >= ink_pages_of(file->length)) {
		if (s->state != INK_DIRTY)
			file->stale = max(file->stale, s->id.index + 1);
		return;
	}
	ink_spage_cloak(s);
	add_seal(r, s, durable);
}

/* The store has one version of it at most, or can do without the newest. Of one that it had before we do not know. */
static bool has_room(const struct ink_spage *s)
{
	return (s->ungiven && s->state != INK_DIRTY) || s->ticket <= s->file->settled;
}

int ink_ask_prepare(struct ink_file *file, u64 mark, bool any, const struct ink_io *io)
{
	const bool flushed = io && io->flushed;
	struct ink_vm *vm = file->vm;
	struct kvm_inktag_store *r;
	struct ink_spage *s;
	u64 i, key;
	int err;

	err = ask(file, KVM_INKTAG_STORE_PREPARE, &r);
	if (!r)
		return err;
	for (i = 0; io && i < io->count && r->count < KVM_INKTAG_RECORDS; i++) {
		s = ink_map_get(&vm->outgoing, io->gfn + i);
		if (s && s->file == file && s->written)
			prepare_page(r, s, flushed);
	}
	/* After a flush there is room for those, and may be none for others. */
	if (flushed)
		mark = 0;
	for (key = 1; r->count < KVM_INKTAG_RECORDS && key <= mark; key++) {
		s = ink_map_next(&file->unannounced, &key, mark);
		if (!s)
			break;
		ink_relax();
		if (!s->asked && (!io || has_room(s)))
			prepare_page(r, s, false);
	}
	r->value[0] = file->length;
	r->value[1] = flushed;
	r->value[2] = unknown_stale(file);
	if (r->count || any || r->value[2])
		return err;
	vm->request_state = INK_REQUEST_NONE;
	return 0;
}

/* Of what nobody has any more the store learns all, if it can. -EINPROGRESS: it is being told. */
static int announce_left(struct ink_file *file)
{
	return ink_ask_prepare(file, U64_MAX, !ink_file_end_is_stored(file), NULL);
}

void ink_ask_release(struct ink_vm *vm)
{
	struct ink_file *file;
	u64 nr;

	for (nr = 0; vm->request_state == INK_REQUEST_NONE && (file = ink_map_next(&vm->files, &nr, U64_MAX)); nr++)
		if (file->leaving && announce_left(file) != -EINPROGRESS)
			new_request(vm, KVM_INKTAG_STORE_RELEASE, file->oid);
}

/* --- in the name of a thread ------------------------------------------------------------------------- */

/* What t has asked already: its answer, or that there is none yet. 0: it has not asked this. */
static int asked(struct ink_thread *t, const u64 call[4], u64 value[4])
{
	struct ink_asked *a = &t->asked;
	int result = a->result;

	if (memcmp(a->call, call, sizeof(a->call)))
		return 0;
	if (!a->answered)
		return -EINPROGRESS;
	memcpy(value, a->value, sizeof(a->value));
	memset(a, 0, sizeof(*a));
	return result ? result : 1;
}

static struct kvm_inktag_store *ask_for(struct ink_thread *t, const u64 call[4], u32 op, const u64 oid[2])
{
	struct ink_vm *vm = t->hap->vm;
	struct kvm_inktag_store *r = new_request(vm, op, oid);

	if (!r)
		return NULL;
	r->hap = t->hap->id;
	vm->request_thread = t->handle;
	t->asked = (struct ink_asked) {};
	memcpy(t->asked.call, call, sizeof(t->asked.call));
	return r;
}

int ink_ask_open(struct ink_thread *t, u64 serial, const u64 oid[2])
{
	const u64 call[4] = { INKTAG_HC_FILE_OPEN, serial, oid[0], oid[1] };
	u64 value[4];
	int err = asked(t, call, value);

	if (err < 0)
		return err;
	/* Opened, and gone since: all over again. */
	ask_for(t, call, KVM_INKTAG_STORE_OPEN, oid);
	return -EINPROGRESS;
}

/* From the HAP's memory, which its other threads may write to. */
static int copy_from(struct ink_hap *hap, u64 va, u64 len, char *to)
{
	u64 part, pte;

	for (; len; va += part, to += part, len -= part) {
		part = min(len, INKTAG_PAGE_SIZE - va % INKTAG_PAGE_SIZE);
		pte = ink_pt_get(hap, va & ~(INKTAG_PAGE_SIZE - 1));
		if (!ink_pt_is(pte, INK_PT_PRIVATE))
			return -EAGAIN;
		memcpy(to, ink_page_va(ink_pt_pa(pte)) + va % INKTAG_PAGE_SIZE, part);
	}
	return 0;
}

int ink_file_name(struct ink_thread *t, u64 op, u64 va, u64 len, u64 answer[4])
{
	const u64 call[4] = { INKTAG_HC_FILE_NAME, op, va, len };
	struct ink_vm *vm = t->hap->vm;
	struct kvm_inktag_store *r;
	int err;

	ink_assert_locked(vm);
	if (!vm->limits.files)
		return -EOPNOTSUPP;
	if (op >= INKTAG_NAME_OP_COUNT || !len || len > INKTAG_NAME_MAX || va >= INKTAG_USER_END - len)
		return -EINVAL;
	err = asked(t, call, answer);
	if (err)
		return err < 0 ? err : 0;
	r = ask_for(t, call, KVM_INKTAG_STORE_NAME, NULL);
	if (!r)
		return -EINPROGRESS;
	err = copy_from(t->hap, va, len, r->path);
	if (err) {
		vm->request_state = INK_REQUEST_NONE;
		memset(&t->asked, 0, sizeof(t->asked));
		return err;
	}
	r->value[0] = op;
	r->count = len;
	return -EINPROGRESS;
}

static void answer_thread(struct ink_vm *vm, int result, const struct kvm_inktag_store *a)
{
	struct ink_thread *t = ink_thread_find(vm, vm->request_thread);
	const struct ink_file *file;

	if (!t || !t->asked.call[0])
		return;
	file = ink_file_find(vm, a->oid);
	t->asked.answered = true;
	t->asked.result = result;
	memcpy(t->asked.value, a->oid, sizeof(a->oid));
	/* The store learns a length later. */
	t->asked.value[2] = file ? file->length : a->value[0];
	t->asked.value[3] = a->value[1];
}

/* --- answers ----------------------------------------------------------------------------------------- */

int ink_store_take(struct ink_vm *vm, const struct kvm_inktag_store **request)
{
	ink_assert_locked(vm);
	if (vm->request_state != INK_REQUEST_MADE)
		return -ENODATA;
	vm->request_state = INK_REQUEST_TAKEN;
	*request = &vm->request;
	return 0;
}

void ink_store_reset(struct ink_vm *vm)
{
	ink_files_free(vm);
	vm->request_state = INK_REQUEST_NONE;
}

static int opened(struct ink_vm *vm, const struct kvm_inktag_store *a)
{
	struct ink_thread *t = ink_thread_find(vm, vm->request_thread);
	struct ink_file *file;
	int err;

	err = ink_file_new(vm, vm->request.oid, a, &file);
	if (err || file->obj.refs)
		return err;
	if (t)
		file->opener = t->hap->id;
	else
		ink_file_left(file);
	return 0;
}

static int reserved(struct ink_file *file, const u64 value[4])
{
	if (value[1] <= file->nr_dirty || !value[0] || value[0] + value[1] < value[0] || value[2] > U32_MAX)
		return -EINVAL;
	file->version = value[0];
	file->versions = value[1];
	file->salt = value[2];
	return 0;
}

/* Each change of a file's names goes by here. */
static void named(struct ink_vm *vm, int err, const struct kvm_inktag_store *a)
{
	struct ink_file *file = err ? NULL : ink_file_find(vm, a->oid);

	if (file && !(a->value[1] >> 63))
		file->names = a->value[1];
	/* Of what nobody has, and what has no name, the store has nothing any more. */
	if (file && file->left && !file->names)
		ink_file_released(file, 0);
}

/* The request was about this file. */
static int apply(struct ink_file *file, const struct kvm_inktag_store *a)
{
	const struct kvm_inktag_store *r = &file->vm->request;

	switch (r->op) {
	case KVM_INKTAG_STORE_RELEASE:
		ink_file_released(file, a->result ? 1 : a->value[0]);
		return 0;
	case KVM_INKTAG_STORE_RESERVE:
		return reserved(file, a->value);
	case KVM_INKTAG_STORE_FETCH:
		if (a->count > KVM_INKTAG_RECORDS)
			return -EINVAL;
		return ink_file_fetched(file, r->value[0] / KVM_INKTAG_FETCH, a->record, a->count);
	case KVM_INKTAG_STORE_PREPARE:
		return ink_file_prepared(file, r, a->value[0]);
	case KVM_INKTAG_STORE_SETTLE:
		ink_file_settled(file, r->value[0]);
		return 0;
	case KVM_INKTAG_STORE_CLEAR:
		return ink_file_cleared(file, r, a->value[0]);
	default:
		ink_file_found(file, &r->record[0]);
		return 0;
	}
}

/* The errors of the store that mean something to who asked. */
static int error_of(s32 result)
{
	switch (result) {
	case -ENOENT:
	case -EEXIST:
	case -EINVAL:
	case -EBUSY:
		return result;
	default:
		return -EIO;
	}
}

int ink_store_answer(struct ink_vm *vm, const struct kvm_inktag_store *a)
{
	const struct kvm_inktag_store *r = &vm->request;
	int err = a->result ? error_of(a->result) : 0, invalid = 0;
	struct ink_file *file = NULL;

	ink_assert_locked(vm);
	if (vm->request_state != INK_REQUEST_TAKEN || a->id != r->id)
		return -ESTALE;
	if (r->op == KVM_INKTAG_STORE_OPEN) {
		if (!err)
			err = opened(vm, a);
	} else if (r->op == KVM_INKTAG_STORE_NAME) {
		named(vm, err, a);
	} else {
		file = ink_file_find(vm, r->oid);
		/* The store has been told, and if it failed it will find out what it has to do. */
		if (file && (!err || r->op == KVM_INKTAG_STORE_RELEASE))
			err = invalid = apply(file, a);
		else if (file && err == -ENOENT && file->left)
			ink_file_released(file, 0);
		/* It may be no more. */
		file = ink_file_find(vm, r->oid);
	}
	if (invalid == -EINVAL)
		err = -EIO;
	if (file && err && r->op == KVM_INKTAG_STORE_PREPARE)
		ink_file_refused(file, r);
	if (file && err) {
		file->failed_op = r->op;
		file->failed = err;
	}
	answer_thread(vm, err, a);
	vm->request_state = INK_REQUEST_NONE;
	ink_ask_release(vm);
	return invalid == -EINVAL ? invalid : 0;
}
