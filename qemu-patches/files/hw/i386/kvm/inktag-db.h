/*
 * InkTag: the trusted metadata of protected files, in a SQLite database
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The guest's kernel keeps the data of protected files, encrypted. What says
 * that they are the right data is here, on the host: for each page the
 * version (the nonce it was sealed under) and tag, for each object its length
 * and policy, and the names. No data and no keys.
 *
 * Plain C over SQLite and libcrypto, without QEMU's types: the object
 * inktag-store, the command "inktag store" and the unit tests compile the
 * same files.
 *
 *   inktag-db.c          open, close, transactions, errors
 *   inktag-db-schema.c   the tables; making a store
 *   inktag-db-object.c   objects, policy, keys
 *   inktag-db-page.c     page records and lengths: reserve, fetch, prepare,
 *                        settle, resolve
 *   inktag-db-name.c     names
 *   inktag-db-counter.c  the counter against older copies of the store
 *   inktag-db-crypto.c   HKDF, SHA-256
 *   inktag-db-check.c    for the offline command: check, dump, backup
 *
 * THE COMMIT RULE
 *
 * A page's data are in the guest, its record is here, and no transaction
 * spans both. So a page has a set of versions that are accepted, and it only
 * shrinks when somebody knows which data are durable:
 *
 *   reserve   versions are handed out, and that is durable before the first
 *             one is used: no nonce is used twice, whatever crashes
 *   prepare   before data leave for the guest's disk, their versions become
 *             accepted beside those before; a new length becomes pending
 *   ...       the data are written, and flushed
 *   settle    the data are durable: what was before them is forgotten, and
 *             the pending length is the length
 *
 * A page that is written to the disk again and again, and never settled, would
 * have ever more versions (-EBUSY). When the disk was flushed, the next prepare
 * of these pages may say so, which settles them alone (InkTagDbSeal.durable). A
 * version that was never given to the disk is not needed when there is another
 * (replaces).
 *
 * After a crash between prepare and settle the disk may have either. The
 * caller looks at it, and resolves page by page: the version found is the
 * only one accepted from then on; a page that is none of them is lost, which
 * is recorded, and stays an error until it is written again. It resolves the
 * length, too: to the one before, or to one that was pending.
 *
 * "After a crash" is a matter of sessions: one begins when the store is opened,
 * and when the VM is reset. What was prepared in this session is in the guest's
 * memory, on its disk, or between the two, and its newest version is the page
 * (InkTagDbPage.certain). What earlier sessions have left is in doubt until it
 * is resolved: a settle says nothing about it, since nobody has seen those data
 * in this session.
 *
 * A settle names the prepare up to which it holds (a ticket), so that another
 * prepare may come while the data of the first are on their way. So there can
 * be several pending lengths, INKTAG_DB_VERSIONS at most. They only grow, or
 * only shrink: what was written, cut off and written again would need to be
 * known as zeros in between (-EBUSY: settle first). The records beyond a
 * shorter length go when it is settled; nobody needs data to be durable for
 * that, so the caller may settle it at once.
 *
 * Records that are no more: the page is zeros, as one never written. Nobody
 * asks the disk for it. But the disk has it still, as it was when it was cut
 * off; when the page is written again, and the VM crashes before that is on the
 * disk, it is found there, and no record says what it is. So an object knows up
 * to where it was cut (stale), and until such a page is settled anew, whatever
 * is found that is no version of it counts as zeros, which it may be anyway.
 *
 * GENERATIONS
 *
 * Each transaction that changes something raises the store's generation by
 * one. A prepare's ticket is its generation. With a counter (a file on another
 * device) the rule is: first the transaction is durable, then the counter is,
 * then the caller is told. At open the store's generation must be at least the
 * counter's. So after a crash in between the store is newer than the counter,
 * which is accepted; a store older than what a caller was told never is.
 *
 * NONCES
 *
 * (version, salt), 64 and 32 bits. Versions never come twice in the life of a
 * store. They do when the store is replaced by an older copy (a backup, say)
 * and goes on from there: then the salt, drawn at random for each session,
 * differs, but for one chance in 2^32.
 *
 * ERRORS
 *
 * Functions return 0 or a negated errno, and inktag_db_error() has one sentence
 * that names the file. Each public function is one transaction: an error
 * means that nothing was changed. There is one exception: where the outcome of
 * a commit is unknown (EIO), it is as before or as after, never between; the
 * store then refuses everything with the same error until it is opened again.
 *
 *   EBUSY         in use by another VM or by the offline command; or what the
 *                 function says
 *   ENOSPC, EROFS, EIO, ENOMEM, ENOENT, EACCES    of the file
 *   EUCLEAN       the database or the counter is damaged
 *   EMEDIUMTYPE   the file is no store
 *   EPROTO        its schema is newer than this program
 *   EKEYREJECTED  wrong master secret
 *   ESTALE        the store is older than the counter says
 *   EINVAL, ENAMETOOLONG, ENOENT, EEXIST, EOVERFLOW   of the arguments
 *
 * A store is used by one thread at a time.
 */
#ifndef HW_I386_KVM_INKTAG_DB_H
#define HW_I386_KVM_INKTAG_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define INKTAG_DB_APPLICATION_ID    0x494e4b54  /* "INKT", for file(1) */
#define INKTAG_DB_SCHEMA            1

#define INKTAG_DB_PAGE_SIZE         4096
#define INKTAG_DB_OID_SIZE          16
#define INKTAG_DB_TAG_SIZE          16
#define INKTAG_DB_KEY_SIZE          32
#define INKTAG_DB_UUID_SIZE         16
#define INKTAG_DB_SECRET_MIN        32
#define INKTAG_DB_SECRET_MAX        1024
#define INKTAG_DB_LENGTH_MAX        INT64_MAX
#define INKTAG_DB_VERSION_MAX       INT64_MAX
/* Per call. */
#define INKTAG_DB_PAGES_MAX         65536
#define INKTAG_DB_RESERVE_MAX       (1U << 20)
/* Versions of one page that are accepted at one time. */
#define INKTAG_DB_VERSIONS          4
#define INKTAG_DB_POLICY_MAX        65536
/* Of a path, and of what stands between two slashes. */
#define INKTAG_DB_PATH_MAX          4095
#define INKTAG_DB_COMPONENT_MAX     255

typedef struct InkTagDb InkTagDb;

typedef struct InkTagDbError {
    char text[512];
} InkTagDbError;

typedef struct InkTagDbOptions {
    const char *path;
    const uint8_t *secret;      /* NULL, with read_only: keys are not needed */
    size_t secret_size;
    const char *counter;        /* path of the counter file; NULL: none */
    bool read_only;             /* for the offline command */
    const char *vfs;            /* SQLite's; NULL: the default */
} InkTagDbOptions;

typedef struct InkTagDbInfo {
    uint8_t uuid[INKTAG_DB_UUID_SIZE];
    uint32_t schema;
    uint64_t generation;
    uint64_t objects;
    uint64_t names;
    uint64_t unsettled;         /* objects with what is to settle or resolve */
    uint64_t lost;              /* pages found to be none of their versions */
} InkTagDbInfo;

typedef struct InkTagDbOid {
    uint8_t b[INKTAG_DB_OID_SIZE];
} InkTagDbOid;

typedef struct InkTagDbObject {
    InkTagDbOid oid;
    uint64_t length;
    uint32_t pendings;          /* of pending */
    uint64_t pending[INKTAG_DB_VERSIONS];       /* lengths, oldest first */
    uint64_t next_version;
    uint64_t unsettled;         /* page versions prepared and not settled */
    uint64_t lost;              /* pages */
    uint64_t links;             /* names */
} InkTagDbObject;

typedef struct InkTagDbNonces {
    uint64_t first;
    uint32_t count;
    uint32_t salt;
} InkTagDbNonces;

typedef struct InkTagDbVersion {
    uint64_t version;
    uint32_t salt;
    uint8_t tag[INKTAG_DB_TAG_SIZE];
} InkTagDbVersion;

typedef struct InkTagDbPage {
    uint64_t index;
    uint32_t count;             /* of v: 1 to INKTAG_DB_VERSIONS */
    bool zeros;                 /* accepted beside v: it never was settled */
    bool stale;                 /* with zeros: so is anything, as zeros */
    bool lost;
    bool certain;               /* v[0] is of this session: no other is right */
    InkTagDbVersion v[INKTAG_DB_VERSIONS];      /* newest first */
} InkTagDbPage;

typedef struct InkTagDbSeal {
    uint64_t index;
    InkTagDbVersion v;
    /* The newest version of this session */
    bool replaces;              /* was never given to a disk: v takes its place */
    bool durable;               /* is durable */
} InkTagDbSeal;

typedef enum InkTagDbFoundKind {
    INKTAG_DB_FOUND_VERSION,
    INKTAG_DB_FOUND_ZEROS,
    INKTAG_DB_FOUND_NEITHER,
} InkTagDbFoundKind;

typedef struct InkTagDbFound {
    uint64_t index;
    InkTagDbFoundKind kind;
    uint64_t version;           /* with INKTAG_DB_FOUND_VERSION */
    uint32_t salt;
} InkTagDbFound;

/* The object that a name was taken from; links are those it still has. */
typedef struct InkTagDbUnlinked {
    bool any;
    InkTagDbOid oid;
    uint64_t links;
} InkTagDbUnlinked;

/* --- inktag-db.c, inktag-db-schema.c -------------------------------------- */

/**
 * inktag_db_create: make a store, and its counter file if one is named
 *
 * EEXIST if either is there. If it fails, neither is.
 */
int inktag_db_create(const InkTagDbOptions *o, InkTagDbError *err);

/**
 * inktag_db_open: open a store that is there, for this caller alone
 *
 * There is no "create if missing": a disk that is not mounted must not become
 * an empty store. With read_only several may open it, none of them while a VM
 * has it. On failure *db is NULL, and *err says why.
 */
int inktag_db_open(const InkTagDbOptions *o, InkTagDb **db, InkTagDbError *err);

/**
 * inktag_db_session: a new session begins, as by closing and opening
 *
 * If it fails, the store refuses everything: who went on would take for certain
 * what is not.
 */
int inktag_db_session(InkTagDb *db);

/* NULL is allowed. What was committed is safe without it. */
void inktag_db_close(InkTagDb *db);

/* The sentence for the last error that a function of this store returned. */
const char *inktag_db_error(const InkTagDb *db);

int inktag_db_info(InkTagDb *db, InkTagDbInfo *info);

/* --- inktag-db-object.c --------------------------------------------------- */

/**
 * inktag_db_object_create: a new object of length 0, without names
 *
 * Its OID is drawn at random: an OID that came back would bring its key back,
 * and with it the nonces.
 */
int inktag_db_object_create(InkTagDb *db, InkTagDbOid *oid);

/* Its records, too. EBUSY: it has names. */
int inktag_db_object_remove(InkTagDb *db, const InkTagDbOid *oid);

/* All objects without names: for a time when no HAP has one open. */
int inktag_db_object_remove_unnamed(InkTagDb *db, uint64_t *removed);

int inktag_db_object_info(InkTagDb *db, const InkTagDbOid *oid,
                          InkTagDbObject *object);

/* The first object after this OID; NULL: the first. ENOENT: no more. */
int inktag_db_object_next(InkTagDb *db, const InkTagDbOid *after,
                          InkTagDbObject *object);

/* HKDF-SHA256 of the master secret, with the store's uuid as salt. */
int inktag_db_object_key(InkTagDb *db, const InkTagDbOid *oid,
                         uint8_t key[INKTAG_DB_KEY_SIZE]);

/* What the bytes mean is not the store's to know. None: size 0. */
int inktag_db_policy_set(InkTagDb *db, const InkTagDbOid *oid,
                         const void *policy, size_t size);
/* EOVERFLOW: the policy is longer than room. */
int inktag_db_policy_get(InkTagDb *db, const InkTagDbOid *oid, void *policy,
                         size_t room, size_t *size);

/* --- inktag-db-page.c ----------------------------------------------------- */

/* 1 to INKTAG_DB_RESERVE_MAX versions. EOVERFLOW: the object has no more. */
int inktag_db_reserve(InkTagDb *db, const InkTagDbOid *oid, uint32_t count,
                      InkTagDbNonces *nonces);

/**
 * inktag_db_fetch: the records of the pages first to last
 *
 * In the order of their indexes; a page that has no record is left out: it is
 * zeros. *count are in pages; if it is max, ask again from the last one on.
 */
int inktag_db_fetch(InkTagDb *db, const InkTagDbOid *oid, uint64_t first,
                    uint64_t last, InkTagDbPage *pages, uint32_t max,
                    uint32_t *count);

/**
 * inktag_db_prepare: accept these versions, too, and make this length pending
 *
 * @seals: each page once, and below the length that will be; the versions
 *         reserved in this session. replaces: v has the ticket of what it
 *         replaces; if nothing of this session is unsettled, it is as any other.
 *         durable: if the page has INKTAG_DB_VERSIONS, what is older than the
 *         newest of this session is forgotten
 * @length: NULL: the newest that is pending, or as it is
 * @ticket: for settle
 *
 * EBUSY: a page has INKTAG_DB_VERSIONS versions, or the length cannot be
 * pending beside the one that is: settle first.
 */
int inktag_db_prepare(InkTagDb *db, const InkTagDbOid *oid,
                      const InkTagDbSeal *seals, uint32_t count,
                      const uint64_t *length, uint64_t *ticket);

/* What the disk has of the pages below end may be what was cut off. */
int inktag_db_stale(InkTagDb *db, const InkTagDbOid *oid, uint64_t end);

/**
 * inktag_db_clear: the object has length 0 and no pages, settled at once
 *
 * No data need be durable for that. Whatever is pending is forgotten.
 */
int inktag_db_clear(InkTagDb *db, const InkTagDbOid *oid, uint64_t *ticket);

/* All that this session has prepared up to this ticket is durable. */
int inktag_db_settle(InkTagDb *db, const InkTagDbOid *oid, uint64_t ticket);

/**
 * inktag_db_resolve: what the disk has, after a crash
 *
 * EINVAL: a page has no record, or the version is not one of its; zeros are
 * accepted only if none of its versions was settled. EBUSY: a version was
 * found beyond the length that is not pending: resolve the length first. Of a
 * lost page the settled version and the newest are kept, in case its data come
 * back.
 */
int inktag_db_resolve(InkTagDb *db, const InkTagDbOid *oid,
                      const InkTagDbFound *found, uint32_t count);

/* This is the length, and none is pending. EINVAL: it is no accepted one. */
int inktag_db_resolve_length(InkTagDb *db, const InkTagDbOid *oid,
                             uint64_t length);

/* --- inktag-db-name.c ----------------------------------------------------- */

/*
 * A path is absolute and has one form only: no empty component, no "." or "..",
 * no slash at its end (EINVAL). It is bytes, not text.
 */

/* EEXIST: the path has an object. */
int inktag_db_name_bind(InkTagDb *db, const char *path, const InkTagDbOid *oid);

/* A new object with this name. EEXIST: the path has one; then there is none. */
int inktag_db_name_create(InkTagDb *db, const char *path, InkTagDbOid *oid);

int inktag_db_name_lookup(InkTagDb *db, const char *path, InkTagDbOid *oid);

/* One more name for the object of from. EEXIST: to has one. */
int inktag_db_name_link(InkTagDb *db, const char *from, const char *to);

/* As rename(2): replaces; between two names of one object it does nothing. */
int inktag_db_name_rename(InkTagDb *db, const char *from, const char *to,
                          InkTagDbUnlinked *replaced);

/* The object stays until inktag_db_object_remove(). */
int inktag_db_name_unlink(InkTagDb *db, const char *path,
                          InkTagDbUnlinked *unlinked);

int inktag_db_name_count(InkTagDb *db, const InkTagDbOid *oid, uint64_t *links);

/* --- inktag-db-counter.c -------------------------------------------------- */

/*
 * The counter file: two slots of 512 bytes, at 0 and 4096. The one with the
 * lower value is written, and synced, so that a torn write leaves the other.
 *
 *   0  "InkTagCt"   8  uuid of the store   24  value, little endian
 *  32  SHA-256 of the bytes before
 */

/**
 * inktag_db_counter_accept: make the counter file anew, from the store as it is
 *
 * For the administrator who puts an older copy of the store back on purpose.
 */
int inktag_db_counter_accept(InkTagDb *db, const char *counter);

/* --- inktag-db-check.c ---------------------------------------------------- */

/*
 * What holds in every store between two transactions:
 *
 *   D1  the file is sound as far as SQLite can tell (integrity_check,
 *       foreign_key_check), and its tables are those of its schema version
 *   D2  there is one row of meta; its generation is at least 1
 *   D3  an object's pending lengths, INKTAG_DB_VERSIONS at most, grow or
 *       shrink, from its length on in the order of their prepares
 *   D4  each version of a page is at least 1 and below its object's next
 *   D5  no version is there twice in an object
 *   D6  what is not settled has the generation of a prepare: the store's at
 *       most
 *   D7  a page has INKTAG_DB_VERSIONS versions at most
 *   D8  a settled version is below the length; one that is not settled, below
 *       the longest that is accepted
 *   D9  a lost page has a version
 *   D10 each path is in its one form
 *
 * Returns the number of violations found, each given to report() as a
 * sentence, or a negated errno.
 */
int inktag_db_check(InkTagDb *db,
                    void (*report)(void *opaque, const char *what),
                    void *opaque);

/* Everything, as text; the same store gives the same text. */
int inktag_db_dump(InkTagDb *db, FILE *to);

/* A copy in one file, which must not be there; durable on return. */
int inktag_db_backup(InkTagDb *db, const char *path);

#endif
