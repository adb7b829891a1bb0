// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crypto.c - AES-256-GCM for pages that leave their frame, SHA-256 for measurements; both the
 * kernel's. Each VM has a random key that dies with it, each protected file one that comes from the store. The nonce of
 * a page is its version and salt, which the core never uses twice under one key.
 */
#include <crypto/aead.h>
#include <crypto/sha2.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include "glue.h"
#include "trace.h"

MODULE_SOFTDEP("pre: gcm ghash-generic");

#define NONCE_SIZE	12

struct ink_key {
	struct crypto_aead *tfm;
};

struct ink_crypto {
	struct ink_key *key;		/* the VM's */
	struct aead_request *req;	/* for any key: they are all of one implementation */
	struct crypto_wait wait;
	struct ink_seal_id id;		/* the associated data of the request */
	u8 nonce[NONCE_SIZE];
	u8 tag[INK_TAG_SIZE];
};

static struct ink_key *key_new(const u8 bytes[INK_KEY_SIZE])
{
	struct ink_key *key = ink_zalloc(sizeof(*key));
	int err;

	if (!key)
		return ERR_PTR(-ENOMEM);
	/* The fast ones are asynchronous by name only: with the FPU at hand they do the work at once. */
	key->tfm = crypto_alloc_aead("gcm(aes)", 0, 0);
	if (IS_ERR(key->tfm)) {
		err = PTR_ERR(key->tfm);
		if (err != -ENOMEM)
			pr_err("inktag: the kernel has no gcm(aes) (error %d): load the modules gcm and ghash-generic\n", err);
		ink_free(key);
		return ERR_PTR(err);
	}
	err = crypto_aead_setkey(key->tfm, bytes, INK_KEY_SIZE);
	if (!err)
		err = crypto_aead_setauthsize(key->tfm, INK_TAG_SIZE);
	if (err) {
		ink_key_free(key);
		return ERR_PTR(err);
	}
	return key;
}

struct ink_key *ink_key_new(const u8 bytes[INK_KEY_SIZE])
{
	struct ink_key *key = key_new(bytes);

	return IS_ERR(key) ? NULL : key;
}

void ink_key_free(struct ink_key *key)
{
	if (key)
		crypto_free_aead(key->tfm);
	ink_free(key);
}

static struct ink_key *random_key(void)
{
	u8 bytes[INK_KEY_SIZE];
	struct ink_key *key;

	get_random_bytes_wait(bytes, sizeof(bytes));
	key = key_new(bytes);
	memzero_explicit(bytes, sizeof(bytes));
	return key;
}

struct ink_crypto *ink_crypto_new(void)
{
	struct ink_crypto *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	int err;

	if (!c)
		return ERR_PTR(-ENOMEM);
	c->key = random_key();
	if (IS_ERR(c->key)) {
		err = PTR_ERR(c->key);
		goto free;
	}
	err = -ENOMEM;
	c->req = aead_request_alloc(c->key->tfm, GFP_KERNEL_ACCOUNT);
	if (!c->req)
		goto free_key;
	crypto_init_wait(&c->wait);
	aead_request_set_callback(c->req, CRYPTO_TFM_REQ_MAY_BACKLOG | CRYPTO_TFM_REQ_MAY_SLEEP,
				  crypto_req_done, &c->wait);
	aead_request_set_ad(c->req, sizeof(c->id));
	return c;

free_key:
	ink_key_free(c->key);
free:
	kfree(c);
	return ERR_PTR(err);
}

void ink_crypto_free(struct ink_crypto *crypto)
{
	aead_request_free(crypto->req);
	ink_key_free(crypto->key);
	kfree_sensitive(crypto);
}

/* Both sides of the request are: associated data, page, tag; the tag counts where it is read. */
static int run(struct ink_vm *vm, struct ink_key *key, const struct ink_seal_id *id, const void *in, void *out,
	       bool seal)
{
	struct ink_crypto *c = to_inktag(vm)->crypto;
	struct scatterlist src[3], dst[3];

	c->id = *id;
	memcpy(c->nonce, &id->version, sizeof(id->version));
	memcpy(c->nonce + sizeof(id->version), &id->salt, NONCE_SIZE - sizeof(id->version));
	aead_request_set_tfm(c->req, (key ?: c->key)->tfm);

	sg_init_table(src, ARRAY_SIZE(src));
	sg_set_buf(&src[0], &c->id, sizeof(c->id));
	sg_set_buf(&src[1], in, INKTAG_PAGE_SIZE);
	sg_set_buf(&src[2], c->tag, sizeof(c->tag));
	sg_init_table(dst, ARRAY_SIZE(dst));
	sg_set_buf(&dst[0], &c->id, sizeof(c->id));
	sg_set_buf(&dst[1], out, INKTAG_PAGE_SIZE);
	sg_set_buf(&dst[2], c->tag, sizeof(c->tag));

	if (seal) {
		aead_request_set_crypt(c->req, src, dst, INKTAG_PAGE_SIZE, c->nonce);
		return crypto_wait_req(crypto_aead_encrypt(c->req), &c->wait);
	}
	aead_request_set_crypt(c->req, src, dst, INKTAG_PAGE_SIZE + INK_TAG_SIZE, c->nonce);
	return crypto_wait_req(crypto_aead_decrypt(c->req), &c->wait);
}

int ink_seal(struct ink_vm *vm, struct ink_key *key, const struct ink_seal_id *id, const void *in, void *out,
	     u8 tag[INK_TAG_SIZE])
{
	int err;

	ink_assert_locked(vm);
	err = run(vm, key, id, in, out, true);
	memcpy(tag, to_inktag(vm)->crypto->tag, INK_TAG_SIZE);
	trace_inktag_cloak(id, err);
	return err;
}

int ink_unseal(struct ink_vm *vm, struct ink_key *key, const struct ink_seal_id *id, const void *in, void *out,
	       const u8 tag[INK_TAG_SIZE])
{
	int err;

	ink_assert_locked(vm);
	memcpy(to_inktag(vm)->crypto->tag, tag, INK_TAG_SIZE);
	err = run(vm, key, id, in, out, false);
	if (err)
		memset(out, 0, INKTAG_PAGE_SIZE);
	trace_inktag_uncloak(id, err);
	return err;
}

struct ink_hash {
	struct sha256_state state;
};

struct ink_hash *ink_hash_new(void)
{
	struct ink_hash *hash = ink_zalloc(sizeof(*hash));

	if (hash)
		sha256_init(&hash->state);
	return hash;
}

void ink_hash_update(struct ink_hash *hash, const void *p, size_t len)
{
	sha256_update(&hash->state, p, len);
}

void ink_hash_final(struct ink_hash *hash, u8 out[32])
{
	sha256_final(&hash->state, out);
}

void ink_hash_free(struct ink_hash *hash)
{
	if (hash)
		memzero_explicit(hash, sizeof(*hash));
	ink_free(hash);
}
