// SPDX-License-Identifier: GPL-2.0-or-later
/* vm.c - see vm.h */
#include <errno.h>
#include <stdlib.h>
#include "unit.h"
#include "inktag-serve.h"
#include "vm.h"

#define SERIAL		90
#define TOKEN		20
#define FILE_VA		0x2000000UL
#define GFN		FIRST_GFN

u64 seed;

struct vm {
	InkTagDb *db;
	InkTagServer server;
	struct guest *g;	/* the present one: each file has a VM of its own, one after the other */
	struct ink_hap *hap;
	char *why;		/* the first thing that was wrong */
};

struct vm *vm_start(const char *store, const char *secret, char **why)
{
	struct vm *vm = g_new0(struct vm, 1);
	InkTagDbOptions o = { .path = store };
	InkTagDbError err;
	gchar *key;
	gsize size;

	if (!g_file_get_contents(secret, &key, &size, NULL))
		g_error("%s cannot be read", secret);
	o.secret = (uint8_t *)key;
	o.secret_size = size;
	if (inktag_db_open(&o, &vm->db, &err)) {
		*why = g_strdup(err.text);
		g_clear_pointer(&vm, g_free);
	} else {
		vm->server.db = vm->db;
	}
	g_free(key);
	return vm;
}

void vm_free(struct vm *vm)
{
	inktag_serve_cleanup(&vm->server);
	inktag_db_close(vm->db);
	g_free(vm->why);
	g_free(vm);
}

static void wrong(struct vm *vm, const char *what)
{
	if (!vm->why)
		vm->why = g_strdup(what);
}

static void ask(struct vm *vm, const struct kvm_inktag_store *r, struct kvm_inktag_store *a)
{
	if (inktag_serve(&vm->server, r, a))
		wrong(vm, inktag_db_error(vm->db));
}

bool vm_lookup(struct vm *vm, const char *path, uint64_t oid[2])
{
	struct kvm_inktag_store r = { .op = KVM_INKTAG_STORE_NAME, .value[0] = INKTAG_NAME_LOOKUP }, a;

	r.count = strlen(path) + 1;
	memcpy(r.path, path, r.count);
	ask(vm, &r, &a);
	memcpy(oid, a.oid, sizeof(a.oid));
	return !a.result;
}

/* QEMU's part: all requests of the core. */
static bool serve(struct vm *vm)
{
	const struct kvm_inktag_store *r;
	struct kvm_inktag_store a;
	bool any = false;

	while (!ink_store_take(&vm->g->vm, &r)) {
		ask(vm, r, &a);
		if (ink_store_answer(&vm->g->vm, &a))
			wrong(vm, "the core refuses the store's answer");
		any = true;
	}
	return any;
}

static void start_guest(struct vm *vm)
{
	struct inktag_desc d = { FILE_VA, VM_PAGES, { SERIAL, 0 }, 0, 7, INKTAG_KIND_FILE };

	if (inktag_serve_reset(&vm->server))
		wrong(vm, inktag_db_error(vm->db));
	vm->g = guest_new(&(struct kvm_inktag_limits){ .haps = 4, .threads = 4, .descriptors = 256, .frames = 4096, .files = 4 });
	vm->hap = hap_launch(vm->g, 0);
	memcpy((u8 *)SPAGE(vm->hap, 0, 0)->frame + TOKEN * sizeof(d), &d, sizeof(d));
}

static s64 open_file(struct vm *vm, const uint64_t oid[2])
{
	s64 r;

	do {
		r = ink_file_open(vm->g->cpu[0].thread, SERIAL, (const u64 *)oid);
	} while (r == -EINPROGRESS && serve(vm));
	if (r)
		return r;
	do {
		r = ink_file_length(vm->hap, SERIAL, INKTAG_LENGTH_GET, 0);
	} while (r == -EINPROGRESS && serve(vm));
	return r;
}

static struct access read_page(struct vm *vm, u64 index, const GByteArray *backing)
{
	u8 page[PAGE] = { 0 };
	struct access a;

	if (index * PAGE < backing->len)
		memcpy(page, backing->data + index * PAGE, MIN(PAGE, backing->len - index * PAGE));
	/* The frame may have been held for the page before. */
	k_write(vm->g, GFN, page);
	do {
		a = hap_access_at(vm->g, 0, FILE_VA + index * PAGE, INK_READ, GFN, TOKEN);
	} while (a.verdict == INK_WAIT && serve(vm));
	return a;
}

static void read_pages(struct vm *vm, GByteArray *to, const GByteArray *backing, bool (*wanted)(void *, uint64_t), void *opaque)
{
	u64 index;

	for (index = 0; index * PAGE < to->len && !vm->why; index++) {
		struct access a;

		if (wanted && !wanted(opaque, index))
			continue;
		a = read_page(vm, index, backing);
		if (a.verdict == INK_MAPPED)
			memcpy(to->data + index * PAGE, a.page, MIN(PAGE, to->len - index * PAGE));
		else
			vm->why = g_strdup_printf("page %llu %s", index, a.verdict == INK_LOST ? "is lost: it is none of its versions" :
						  a.verdict == INK_KILL ? "is not what the store says" : "cannot be had");
	}
}

GByteArray *vm_read(struct vm *vm, const uint64_t oid[2], const GByteArray *backing, bool (*wanted)(void *, uint64_t),
		    void *opaque, char **why)
{
	GByteArray *is = NULL;
	s64 length;

	start_guest(vm);
	length = open_file(vm, oid);
	if (length > (s64)(VM_PAGES * PAGE)) {
		wrong(vm, "it is too long");
	} else if (length < 0) {
		wrong(vm, "it cannot be opened");
	} else {
		is = g_byte_array_new();
		g_byte_array_set_size(is, length);
		memset(is->data, 0, length);
		read_pages(vm, is, backing, wanted, opaque);
	}
	guest_free(vm->g);
	*why = g_steal_pointer(&vm->why);
	if (*why)
		g_clear_pointer(&is, g_byte_array_unref);
	return is;
}

uint64_t vm_resolved(struct vm *vm)
{
	return vm->server.served[KVM_INKTAG_STORE_RESOLVE];
}
