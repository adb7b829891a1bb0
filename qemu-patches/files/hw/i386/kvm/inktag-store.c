/*
 * InkTag: the metadata store as an object of QEMU's
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "inktag-store.h"
#include "crypto/secret.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-inktag-target.h"
#include "qemu/cutils.h"
#include "qemu/lockable.h"
#include "qemu/module.h"
#include "qom/object_interfaces.h"
#include "system/system.h"
#include "trace.h"

const char *inktag_store_id(const InkTagStore *store)
{
    return object_get_canonical_path_component(OBJECT(store));
}

static void inktag_store_complete(UserCreatable *uc, Error **errp)
{
    InkTagStore *store = INKTAG_STORE(uc);
    InkTagDbOptions options = {
        .path = store->path,
        .counter = store->counter,
    };
    uint8_t *secret = NULL;
    InkTagDbInfo info;
    InkTagDbError err;
    int ret;

    if (!store->path || !store->secret) {
        error_setg(errp, "Parameter '%s' is missing",
                   store->path ? "secret" : "path");
        return;
    }
    if (qcrypto_secret_lookup(store->secret, &secret, &options.secret_size,
                              errp) < 0) {
        return;
    }
    options.secret = secret;
    QEMU_LOCK_GUARD(&store->lock);
    ret = inktag_db_open(&options, &store->server.db, &err);
    explicit_bzero(secret, options.secret_size);
    g_free(secret);
    if (ret < 0) {
        error_setg(errp, "%s", err.text);
        if (ret == -ENOENT) {
            error_append_hint(errp, "'inktag store create' makes a store.\n");
        }
        return;
    }

    ret = inktag_db_info(store->server.db, &info);
    trace_inktag_store_open(inktag_store_id(store), store->path,
                            ret < 0 ? 0 : info.generation);
}

static bool inktag_store_can_be_deleted(UserCreatable *uc)
{
    return !INKTAG_STORE(uc)->attached;
}

static void inktag_store_close(InkTagStore *store)
{
    QEMU_LOCK_GUARD(&store->lock);
    if (store->server.db) {
        trace_inktag_store_close(store->path);
        inktag_serve_cleanup(&store->server);
        inktag_db_close(store->server.db);
        store->server.db = NULL;
    }
}

/*
 * A device that has it is never finalized. The vCPUs have stopped. Closed, the
 * store is one file, without SQLite's log beside it.
 */
static void inktag_store_exit(Notifier *notifier, void *data)
{
    inktag_store_close(container_of(notifier, InkTagStore, exit));
}

static void inktag_store_init(Object *obj)
{
    InkTagStore *store = INKTAG_STORE(obj);

    qemu_mutex_init(&store->lock);
    store->exit.notify = inktag_store_exit;
    qemu_add_exit_notifier(&store->exit);
}

static void inktag_store_finalize(Object *obj)
{
    InkTagStore *store = INKTAG_STORE(obj);

    inktag_store_close(store);
    qemu_remove_exit_notifier(&store->exit);
    qemu_mutex_destroy(&store->lock);
    g_free(store->path);
    g_free(store->secret);
    g_free(store->counter);
}

/* --- query-inktag-store --------------------------------------------------- */

/* Locked. */
static InkTagStoreRequests *inktag_store_requests(const InkTagServer *server)
{
    InkTagStoreRequests *r = g_new0(InkTagStoreRequests, 1);

    r->name = server->served[KVM_INKTAG_STORE_NAME];
    r->open = server->served[KVM_INKTAG_STORE_OPEN];
    r->release = server->served[KVM_INKTAG_STORE_RELEASE];
    r->reserve = server->served[KVM_INKTAG_STORE_RESERVE];
    r->fetch = server->served[KVM_INKTAG_STORE_FETCH];
    r->prepare = server->served[KVM_INKTAG_STORE_PREPARE];
    r->settle = server->served[KVM_INKTAG_STORE_SETTLE];
    r->clear = server->served[KVM_INKTAG_STORE_CLEAR];
    r->resolve = server->served[KVM_INKTAG_STORE_RESOLVE];
    r->failed = server->failed;
    return r;
}

static InkTagStoreInfo *inktag_store_info(InkTagStore *store, Error **errp)
{
    char uuid[2 * INKTAG_DB_UUID_SIZE + 1];
    InkTagStoreInfo *result;
    InkTagDbInfo info;

    QEMU_LOCK_GUARD(&store->lock);
    if (inktag_db_info(store->server.db, &info) < 0) {
        error_setg(errp, "%s", inktag_db_error(store->server.db));
        return NULL;
    }
    qemu_hexdump_to_buffer(uuid, sizeof(uuid), info.uuid, sizeof(info.uuid));

    result = g_new0(InkTagStoreInfo, 1);
    result->id = g_strdup(inktag_store_id(store));
    result->path = g_strdup(store->path);
    result->counter = g_strdup(store->counter);
    result->attached = store->attached;
    result->uuid = g_strdup(uuid);
    result->schema = info.schema;
    result->generation = info.generation;
    result->objects = info.objects;
    result->names = info.names;
    result->unsettled = info.unsettled;
    result->lost = info.lost;
    result->open = store->server.opens;
    result->requests = inktag_store_requests(&store->server);
    return result;
}

typedef struct Query {
    InkTagStoreInfoList *list;
    InkTagStoreInfoList **tail;
    Error **errp;
} Query;

static int inktag_store_add_info(Object *obj, void *opaque)
{
    Query *query = opaque;
    InkTagStore *store = (InkTagStore *)object_dynamic_cast(obj,
                                                            TYPE_INKTAG_STORE);
    InkTagStoreInfo *info;

    if (!store || !store->server.db) {
        return 0;
    }
    info = inktag_store_info(store, query->errp);
    if (!info) {
        return -1;
    }
    QAPI_LIST_APPEND(query->tail, info);
    return 0;
}

InkTagStoreInfoList *qmp_query_inktag_store(Error **errp)
{
    Query query = { .tail = &query.list, .errp = errp };

    if (object_child_foreach(object_get_objects_root(), inktag_store_add_info,
                             &query) < 0) {
        qapi_free_InkTagStoreInfoList(query.list);
        return NULL;
    }
    return query.list;
}

/* --- properties ----------------------------------------------------------- */

static void set_string(Object *obj, char **to, const char *value,
                       const char *name, Error **errp)
{
    if (INKTAG_STORE(obj)->server.db) {
        error_setg(errp, "Property '%s' can no longer be set", name);
        return;
    }
    g_free(*to);
    *to = g_strdup(value);
}

static char *inktag_store_get_path(Object *obj, Error **errp)
{
    return g_strdup(INKTAG_STORE(obj)->path);
}

static void inktag_store_set_path(Object *obj, const char *value, Error **errp)
{
    set_string(obj, &INKTAG_STORE(obj)->path, value, "path", errp);
}

static char *inktag_store_get_secret(Object *obj, Error **errp)
{
    return g_strdup(INKTAG_STORE(obj)->secret);
}

static void inktag_store_set_secret(Object *obj, const char *value,
                                    Error **errp)
{
    set_string(obj, &INKTAG_STORE(obj)->secret, value, "secret", errp);
}

static char *inktag_store_get_counter(Object *obj, Error **errp)
{
    return g_strdup(INKTAG_STORE(obj)->counter);
}

static void inktag_store_set_counter(Object *obj, const char *value,
                                     Error **errp)
{
    set_string(obj, &INKTAG_STORE(obj)->counter, value, "counter", errp);
}

static void inktag_store_class_init(ObjectClass *klass, void *data)
{
    UserCreatableClass *ucc = USER_CREATABLE_CLASS(klass);

    ucc->complete = inktag_store_complete;
    ucc->can_be_deleted = inktag_store_can_be_deleted;

    object_class_property_add_str(klass, "path", inktag_store_get_path,
                                  inktag_store_set_path);
    object_class_property_set_description(klass, "path",
        "the store's file, made by 'inktag store create'");
    object_class_property_add_str(klass, "secret", inktag_store_get_secret,
                                  inktag_store_set_secret);
    object_class_property_set_description(klass, "secret",
        "id of the secret object with the master secret, 32 bytes or more");
    object_class_property_add_str(klass, "counter", inktag_store_get_counter,
                                  inktag_store_set_counter);
    object_class_property_set_description(klass, "counter",
        "the counter's file, on another device than the store's");
}

static const TypeInfo inktag_store_types[] = {
    {
        .name              = TYPE_INKTAG_STORE,
        .parent            = TYPE_OBJECT,
        .instance_size     = sizeof(InkTagStore),
        .instance_init     = inktag_store_init,
        .instance_finalize = inktag_store_finalize,
        .class_init        = inktag_store_class_init,
        .interfaces        = (InterfaceInfo[]) {
            { TYPE_USER_CREATABLE },
            { }
        },
    }
};

DEFINE_TYPES(inktag_store_types)
