/*
 * InkTag: what KVM asks of the metadata store, and its answers
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "inktag-serve.h"

_Static_assert(KVM_INKTAG_VERSIONS == INKTAG_DB_VERSIONS, "versions of a page");
_Static_assert(KVM_INKTAG_FETCH * KVM_INKTAG_VERSIONS <= KVM_INKTAG_RECORDS,
               "the records of a fetch");
_Static_assert(sizeof(((struct kvm_inktag_store *)0)->key) ==
               INKTAG_DB_KEY_SIZE, "key size");
_Static_assert(sizeof(((struct kvm_inktag_store *)0)->oid) ==
               sizeof(InkTagDbOid), "OID size");
_Static_assert(sizeof(((struct kvm_inktag_record *)0)->tag) ==
               INKTAG_DB_TAG_SIZE, "tag size");

/* The request is none: the store was not asked, and has no sentence. */
#define NONSENSE (-EBADMSG)

static InkTagDbOid oid_of(const struct kvm_inktag_store *request)
{
    InkTagDbOid oid;

    memcpy(&oid, request->oid, sizeof(oid));
    return oid;
}

/* --- files that are open -------------------------------------------------- */

static InkTagDbOid *find_open(InkTagServer *s, const InkTagDbOid *oid)
{
    for (size_t i = 0; i < s->opens; i++) {
        if (memcmp(&s->open[i], oid, sizeof(*oid)) == 0) {
            return &s->open[i];
        }
    }
    return NULL;
}

static void add_open(InkTagServer *s, const InkTagDbOid *oid)
{
    if (find_open(s, oid)) {
        return;
    }
    if (s->opens == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->open = realloc(s->open, s->room * sizeof(*s->open));
        if (!s->open) {
            /* As g_realloc() does. */
            abort();
        }
    }
    s->open[s->opens++] = *oid;
}

static void remove_open(InkTagServer *s, const InkTagDbOid *oid)
{
    InkTagDbOid *open = find_open(s, oid);

    if (open) {
        *open = s->open[--s->opens];
    }
}

/*
 * What has no names and no users goes. Who asked has got what he asked for even
 * if that fails, and the next start removes it: so it is trouble to be reported
 * beside an answer that says that all went well.
 */
static void remove_unused(InkTagServer *s, const InkTagDbOid *oid,
                          uint64_t links)
{
    if (!links && !find_open(s, oid)) {
        s->trouble = inktag_db_object_remove(s->db, oid);
    }
}

int inktag_serve_reset(InkTagServer *s)
{
    uint64_t removed;
    int ret = inktag_db_session(s->db);

    s->opens = 0;
    s->ticket = 0;
    return ret < 0 ? ret : inktag_db_object_remove_unnamed(s->db, &removed);
}

void inktag_serve_cleanup(InkTagServer *s)
{
    free(s->open);
    s->open = NULL;
    s->opens = s->room = 0;
}

/* --- names ---------------------------------------------------------------- */

static uint64_t length_of(const InkTagDbObject *o)
{
    return o->pendings ? o->pending[o->pendings - 1] : o->length;
}

static int describe(InkTagServer *s, const InkTagDbOid *oid,
                    struct kvm_inktag_store *answer)
{
    InkTagDbObject o;
    int ret = inktag_db_object_info(s->db, oid, &o);

    if (ret == 0) {
        memcpy(answer->oid, oid, sizeof(*oid));
        answer->value[0] = length_of(&o);
        answer->value[1] = o.links;
    }
    return ret;
}

/* So many paths, which fill the count bytes. */
static bool read_paths(const struct kvm_inktag_store *request, int wanted,
                       const char *path[2])
{
    uint32_t at = 0, size = request->count;

    if (size > sizeof(request->path)) {
        return false;
    }
    for (int i = 0; i < wanted; i++) {
        const char *start = request->path + at;
        const char *end = memchr(start, '\0', size - at);

        if (!end) {
            return false;
        }
        path[i] = start;
        at += end - start + 1;
    }
    return at == size;
}

static int lost_a_name(InkTagServer *s, const InkTagDbUnlinked *u,
                       struct kvm_inktag_store *answer)
{
    int ret;

    if (!u->any) {
        return 0;
    }
    ret = describe(s, &u->oid, answer);
    if (ret == 0) {
        remove_unused(s, &u->oid, u->links);
    }
    return ret;
}

static int serve_name(InkTagServer *s, const struct kvm_inktag_store *request,
                      struct kvm_inktag_store *answer)
{
    uint64_t op = request->value[0];
    InkTagDbUnlinked unlinked = { .any = false };
    const char *path[2];
    InkTagDbOid oid;
    int ret;

    memset(answer->oid, 0, sizeof(answer->oid));
    if (op >= INKTAG_NAME_OP_COUNT ||
        !read_paths(request, op == INKTAG_NAME_LINK ||
                             op == INKTAG_NAME_RENAME ? 2 : 1, path)) {
        return NONSENSE;
    }
    switch (op) {
    case INKTAG_NAME_LOOKUP:
        ret = inktag_db_name_lookup(s->db, path[0], &oid);
        return ret < 0 ? ret : describe(s, &oid, answer);
    case INKTAG_NAME_CREATE:
        ret = inktag_db_name_create(s->db, path[0], &oid);
        return ret < 0 ? ret : describe(s, &oid, answer);
    case INKTAG_NAME_LINK:
        ret = inktag_db_name_link(s->db, path[0], path[1]);
        if (ret == 0) {
            ret = inktag_db_name_lookup(s->db, path[1], &oid);
        }
        return ret < 0 ? ret : describe(s, &oid, answer);
    case INKTAG_NAME_RENAME:
        ret = inktag_db_name_rename(s->db, path[0], path[1], &unlinked);
        return ret < 0 ? ret : lost_a_name(s, &unlinked, answer);
    default:
        ret = inktag_db_name_unlink(s->db, path[0], &unlinked);
        return ret < 0 ? ret : lost_a_name(s, &unlinked, answer);
    }
}

/* --- files ---------------------------------------------------------------- */

/* What is pending becomes the length. */
static int resolve_length(InkTagServer *s, const InkTagDbOid *oid,
                          const InkTagDbObject *o)
{
    return o->pendings ? inktag_db_resolve_length(s->db, oid, length_of(o)) : 0;
}

static int serve_open(InkTagServer *s, const struct kvm_inktag_store *request,
                      struct kvm_inktag_store *answer)
{
    InkTagDbOid oid = oid_of(request);
    InkTagDbObject o;
    int ret = inktag_db_object_info(s->db, &oid, &o);

    if (ret == 0) {
        ret = resolve_length(s, &oid, &o);
    }
    if (ret == 0) {
        ret = inktag_db_object_key(s->db, &oid, answer->key);
    }
    if (ret == 0) {
        answer->value[0] = length_of(&o);
        /* That of another file's prepare does as well, if it came later. */
        answer->value[1] = o.unsettled ? s->ticket : 0;
        answer->value[2] = o.links;
        add_open(s, &oid);
    }
    return ret;
}

static int serve_release(InkTagServer *s,
                         const struct kvm_inktag_store *request,
                         struct kvm_inktag_store *answer)
{
    InkTagDbOid oid = oid_of(request);
    uint64_t links;
    int ret = inktag_db_name_count(s->db, &oid, &links);

    remove_open(s, &oid);
    if (ret == 0) {
        answer->value[0] = links;
        remove_unused(s, &oid, links);
    } else if (ret != -ENOENT) {
        /* KVM has done with it, and could not but ask again. */
        answer->value[0] = 1;
        s->trouble = ret;
    }
    return 0;
}

/* --- pages ---------------------------------------------------------------- */

static int serve_reserve(InkTagServer *s,
                         const struct kvm_inktag_store *request,
                         struct kvm_inktag_store *answer)
{
    InkTagDbOid oid = oid_of(request);
    InkTagDbNonces nonces;
    int ret;

    if (request->value[0] > INKTAG_DB_RESERVE_MAX) {
        return NONSENSE;
    }
    ret = inktag_db_reserve(s->db, &oid, request->value[0], &nonces);
    if (ret == 0) {
        answer->value[0] = nonces.first;
        answer->value[1] = nonces.count;
        answer->value[2] = nonces.salt;
    }
    return ret;
}

static void add_records(const InkTagDbPage *page,
                        struct kvm_inktag_store *answer)
{
    uint32_t count = page->certain ? 1 : page->count, flags = 0;

    if (!page->certain) {
        flags |= page->zeros ? KVM_INKTAG_RECORD_ZEROS : 0;
        flags |= page->stale ? KVM_INKTAG_RECORD_STALE : 0;
        flags |= page->lost ? KVM_INKTAG_RECORD_LOST : 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct kvm_inktag_record *r = &answer->record[answer->count++];

        r->index = page->index;
        r->version = page->v[i].version;
        r->salt = page->v[i].salt;
        r->flags = flags;
        memcpy(r->tag, page->v[i].tag, sizeof(r->tag));
    }
}

static int serve_fetch(InkTagServer *s, const struct kvm_inktag_store *request,
                       struct kvm_inktag_store *answer)
{
    uint64_t first = request->value[0], last = request->value[1];
    InkTagDbPage pages[KVM_INKTAG_FETCH];
    InkTagDbOid oid = oid_of(request);
    uint32_t count;
    int ret;

    if (first > last || last - first >= KVM_INKTAG_FETCH) {
        return NONSENSE;
    }
    ret = inktag_db_fetch(s->db, &oid, first, last, pages, KVM_INKTAG_FETCH,
                          &count);
    for (uint32_t i = 0; ret == 0 && i < count; i++) {
        add_records(&pages[i], answer);
    }
    return ret;
}

/* In a transaction of its own: if that of the request fails, it does no harm. */
static int note_stale(InkTagServer *s, const struct kvm_inktag_store *request)
{
    InkTagDbOid oid = oid_of(request);
    uint64_t end = request->value[2];

    return end ? inktag_db_stale(s->db, &oid, end) : 0;
}

static int prepare(InkTagServer *s, const struct kvm_inktag_store *request,
                   const InkTagDbSeal *seals, struct kvm_inktag_store *answer)
{
    InkTagDbOid oid = oid_of(request);
    uint64_t length = request->value[0], ticket;
    int ret;

    ret = inktag_db_prepare(s->db, &oid, seals, request->count, &length,
                            &ticket);
    if (ret == 0) {
        answer->value[0] = s->ticket = ticket;
    }
    return ret;
}

static int serve_prepare(InkTagServer *s,
                         const struct kvm_inktag_store *request,
                         struct kvm_inktag_store *answer)
{
    InkTagDbSeal seals[KVM_INKTAG_RECORDS];
    InkTagDbOid oid = oid_of(request);
    InkTagDbObject o;
    int ret;

    if (request->count > KVM_INKTAG_RECORDS || request->value[1] > 1) {
        return NONSENSE;
    }
    for (uint32_t i = 0; i < request->count; i++) {
        const struct kvm_inktag_record *r = &request->record[i];

        if (r->flags && r->flags != KVM_INKTAG_RECORD_REPLACES &&
            r->flags != KVM_INKTAG_RECORD_DURABLE) {
            return NONSENSE;
        }
        seals[i].index = r->index;
        seals[i].replaces = r->flags == KVM_INKTAG_RECORD_REPLACES;
        seals[i].durable = r->flags == KVM_INKTAG_RECORD_DURABLE;
        seals[i].v.version = r->version;
        seals[i].v.salt = r->salt;
        memcpy(seals[i].v.tag, r->tag, sizeof(r->tag));
    }

    ret = note_stale(s, request);
    if (ret == 0) {
        ret = prepare(s, request, seals, answer);
    }
    if (ret != -EBUSY || inktag_db_object_info(s->db, &oid, &o) < 0 ||
        !o.pendings || (length_of(&o) < o.length && !request->value[1])) {
        return ret;
    }
    /* A length may have been in the way, and need not be. */
    ret = resolve_length(s, &oid, &o);
    return ret < 0 ? ret : prepare(s, request, seals, answer);
}

static int serve_settle(InkTagServer *s, const struct kvm_inktag_store *request,
                        struct kvm_inktag_store *answer)
{
    InkTagDbOid oid = oid_of(request);

    (void)answer;
    return inktag_db_settle(s->db, &oid, request->value[0]);
}

static int serve_clear(InkTagServer *s, const struct kvm_inktag_store *request,
                       struct kvm_inktag_store *answer)
{
    InkTagDbOid oid = oid_of(request);
    uint64_t ticket;
    int ret = note_stale(s, request);

    if (ret == 0) {
        ret = inktag_db_clear(s->db, &oid, &ticket);
    }
    if (ret == 0) {
        answer->value[0] = ticket;
    }
    return ret;
}

static int serve_resolve(InkTagServer *s,
                         const struct kvm_inktag_store *request,
                         struct kvm_inktag_store *answer)
{
    const struct kvm_inktag_record *r = &request->record[0];
    InkTagDbFound found = {
        .index = r->index,
        .version = r->version,
        .salt = r->salt,
    };
    InkTagDbOid oid = oid_of(request);

    (void)answer;
    if (request->count != 1) {
        return NONSENSE;
    }
    if (r->version && !r->flags) {
        found.kind = INKTAG_DB_FOUND_VERSION;
    } else if (!r->version && !r->flags) {
        found.kind = INKTAG_DB_FOUND_ZEROS;
    } else if (!r->version && r->flags == KVM_INKTAG_RECORD_LOST) {
        found.kind = INKTAG_DB_FOUND_NEITHER;
    } else {
        return NONSENSE;
    }
    return inktag_db_resolve(s->db, &oid, &found, 1);
}

/* --- all ------------------------------------------------------------------ */

static const struct {
    const char *name;
    int (*serve)(InkTagServer *s, const struct kvm_inktag_store *request,
                 struct kvm_inktag_store *answer);
} ops[KVM_INKTAG_STORE_OP_COUNT] = {
    [KVM_INKTAG_STORE_NAME] = { "name", serve_name },
    [KVM_INKTAG_STORE_OPEN] = { "open", serve_open },
    [KVM_INKTAG_STORE_RELEASE] = { "release", serve_release },
    [KVM_INKTAG_STORE_RESERVE] = { "reserve", serve_reserve },
    [KVM_INKTAG_STORE_FETCH] = { "fetch", serve_fetch },
    [KVM_INKTAG_STORE_PREPARE] = { "prepare", serve_prepare },
    [KVM_INKTAG_STORE_SETTLE] = { "settle", serve_settle },
    [KVM_INKTAG_STORE_CLEAR] = { "clear", serve_clear },
    [KVM_INKTAG_STORE_RESOLVE] = { "resolve", serve_resolve },
};

const char *inktag_serve_op(uint32_t op)
{
    return op < KVM_INKTAG_STORE_OP_COUNT ? ops[op].name : "?";
}

/* Is it what a program may be told, and nothing is wrong with the store? */
static bool is_expected(uint32_t op, int ret)
{
    switch (ret) {
    case 0:
    case NONSENSE:
        return true;
    case -ENOENT:
        /* PREPARE: what KVM still had of it when it lost its last name. */
        return op == KVM_INKTAG_STORE_NAME || op == KVM_INKTAG_STORE_OPEN ||
               op == KVM_INKTAG_STORE_PREPARE;
    case -EEXIST:
    case -EINVAL:
    case -ENAMETOOLONG:
        return op == KVM_INKTAG_STORE_NAME;
    case -EBUSY:
        return op == KVM_INKTAG_STORE_PREPARE;
    default:
        return false;
    }
}

/* The errno that the ABI has for it. */
static int result_of(uint32_t op, int ret)
{
    switch (ret) {
    case 0:
    case -ENOENT:
    case -EEXIST:
    case -EINVAL:
        return ret;
    case NONSENSE:
    case -ENAMETOOLONG:
        return -EINVAL;
    case -EBUSY:
        return op == KVM_INKTAG_STORE_PREPARE ? ret : -EIO;
    default:
        return -EIO;
    }
}

int inktag_serve(InkTagServer *s, const struct kvm_inktag_store *request,
                 struct kvm_inktag_store *answer)
{
    uint32_t op = request->op;
    int ret = NONSENSE;

    memset(answer, 0, sizeof(*answer));
    answer->id = request->id;
    answer->op = op;
    answer->hap = request->hap;
    memcpy(answer->oid, request->oid, sizeof(answer->oid));
    s->trouble = 0;
    if (op < KVM_INKTAG_STORE_OP_COUNT) {
        s->served[op]++;
        ret = ops[op].serve(s, request, answer);
    }
    answer->result = result_of(op, ret);
    ret = is_expected(op, ret) ? s->trouble : ret;
    s->failed += ret < 0;
    return ret;
}
