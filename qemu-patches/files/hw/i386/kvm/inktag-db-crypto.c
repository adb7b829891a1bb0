/*
 * InkTag metadata store: HKDF and SHA-256, from libcrypto
 *
 * Copyright the InkTag developers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include "inktag-db-int.h"

bool ink_db_random(void *to, size_t size)
{
    return RAND_bytes(to, size) == 1;
}

/* As in RFC 5869: salt goes with extract, info with expand. */
static bool hkdf(int mode, const uint8_t *key, size_t key_size, char *name,
                 const void *other, size_t other_size, uint8_t out[32])
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                         (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key,
                                          key_size),
        OSSL_PARAM_construct_octet_string(name, (void *)other, other_size),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = ctx && EVP_KDF_derive(ctx, out, 32, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

bool ink_db_hkdf_extract(const uint8_t *salt, size_t salt_size,
                         const uint8_t *secret, size_t size, uint8_t prk[32])
{
    return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, secret, size,
                (char *)OSSL_KDF_PARAM_SALT, salt, salt_size, prk);
}

bool ink_db_hkdf_expand(const uint8_t prk[32], const void *info,
                        size_t info_size, uint8_t out[32])
{
    return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, prk, 32,
                (char *)OSSL_KDF_PARAM_INFO, info, info_size, out);
}

bool ink_db_sha256(const void *data, size_t size, uint8_t out[32])
{
    return EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL) == 1;
}

void ink_db_cleanse(void *secret, size_t size)
{
    OPENSSL_cleanse(secret, size);
}

bool ink_db_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}
