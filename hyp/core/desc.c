// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * desc.c - reading the HAP's descriptors. They are the HAP's own (I5): an invalid one harms
 * nobody but the HAP, but it must not confuse the hypervisor (I8).
 */
#include "inktag.h"

#define DESC_WORDS	(sizeof(struct inktag_desc) / sizeof(u64))

static const struct inktag_desc array_desc = {
	.addr = INKTAG_DESC_BASE,
	.npages = INKTAG_DESC_MAX * sizeof(struct inktag_desc) / INKTAG_PAGE_SIZE,
	.prot = INKTAG_PROT_READ | INKTAG_PROT_WRITE,
	.kind = INKTAG_KIND_PRIVATE,
};

int ink_desc_get(struct ink_hap *hap, u32 token, struct inktag_desc *d, u64 *array_va)
{
	u64 offset = (u64)token * sizeof(*d);
	const u64 *from;
	struct ink_spage *s;
	unsigned int i;

	ink_assert_locked(hap->vm);
	if (token == INKTAG_TOKEN_ARRAY) {
		*d = array_desc;
		return 0;
	}
	if (token >= hap->vm->limits.descriptors)
		return -ENOENT;
	s = ink_spage_find(hap, 0, offset >> INKTAG_PAGE_SHIFT);
	if (!s)
		return -ENOENT;
	if (s->state == INK_CLOAKED) {
		*array_va = INKTAG_DESC_BASE + (offset & ~(INKTAG_PAGE_SIZE - 1));
		return -EAGAIN;
	}
	/* The HAP's other threads may write to it now: copied once, then judged. */
	from = s->frame + offset % INKTAG_PAGE_SIZE;
	for (i = 0; i < DESC_WORDS; i++)
		((u64 *)d)[i] = READ_ONCE(from[i]);
	return inktag_desc_is_valid(d) ? 0 : -ENOENT;
}
