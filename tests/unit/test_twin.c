// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HAPs at work on random pages, and making processes, under a kernel that serves them with copy-on-write,
 * and attacks them as well. Beside them a twin so simple that it is right: for each page of each HAP the number of
 * its last content, 0 for none, copied whole when a HAP forks; for each page of an object that forks share, one number
 * for all of the family. Whatever the kernel does, a HAP reads what the twin says, or it is killed (I2); the secret is nowhere in the guest's memory (I1). Under an honest kernel nobody is
 * killed.
 */
#include <stdio.h>
#include "unit.h"

#define NR_HAPS		3
#define NR_DATA		12		/* data pages of each HAP */
#define P_ARRAY		NR_DATA		/* the kernel's view has the array's page, too, */
#define P_ARENA		(NR_DATA + 1)	/* and two pages of the arena */
#define NR_PAGES	(NR_DATA + 3)
#define P_SHARED	NR_PAGES	/* and what families share, in a view of its own */
#define NR_SHARED	2
#define POOL		FIRST_GFN	/* the kernel's free frames */
#define POOL_SIZE	40
#define ZERO_GFN	(POOL + POOL_SIZE)	/* the kernel's own page of zeros */
#define CODE		(ZERO_GFN + 1)		/* one for each */
#define NR_OLD		24

struct kpage {
	enum { UNUSED, SHOWN_ZERO, PRESENT, SWAPPED } state;
	u64 gfn;
	bool ro;		/* PRESENT: write-protected since a fork */
	u8 disk[PAGE];
};

static struct guest *g;
static GRand *rng;
static bool hostile;
static u64 seq, name;

/* Who descends from one HAP. */
static struct family {
	u32 haps;
	u64 twin[NR_SHARED];
	struct kpage k[NR_SHARED];
} families[NR_HAPS];

#define NO_THREAD -2

static struct {
	struct ink_hap *hap;		/* NULL: none */
	struct family *family;
	u64 cr3;
	u64 handle[2];
	int cpu[2];			/* of each thread; -1: suspended */
	u64 twin[NR_DATA];
	struct kpage k[NR_PAGES];
} haps[NR_HAPS];

static u32 used[POOL_SIZE];		/* how many page-table entries have it */
static u8 old[NR_OLD][PAGE];		/* ciphertexts that the hostile kernel has kept */
static u64 killed, served, steps_run, forked, copied;

static u32 pick(u32 n)
{
	return g_rand_int_range(rng, 0, n);
}

static bool one_in(u32 n)
{
	return !pick(n);
}

static u64 va_of(u32 p)
{
	return p >= P_SHARED ? OTHER_VA + (p - P_SHARED) * PAGE :
	       p == P_ARRAY ? INKTAG_DESC_BASE :
	       p >= P_ARENA ? INKTAG_ARENA_BASE + (p - P_ARENA) * PAGE : DATA_VA + p * PAGE;
}

static u32 token_of(u32 p)
{
	return p >= P_SHARED ? T_OTHER : p == P_ARRAY ? T_ARRAY : p >= P_ARENA ? T_ARENA : T_DATA;
}

static u32 page_at(u64 va)
{
	u32 p;

	for (p = 0; p < NR_PAGES + NR_SHARED; p++)
		if (va_of(p) == va)
			return p;
	ck_abort_msg("the HAP asks for %#llx", (unsigned long long)va);
	return 0;
}

/* --- the kernel, serving ------------------------------------------------------------------------- */

static bool ring_has_room(u32 ring)
{
	struct inktag_ring_hdr *hdr = ring_hdr(g, ring);

	return hdr->tail - hdr->head < 64;
}

static void report(u32 h, u32 op, u32 p, u64 arg, u32 prot)
{
	u32 ring = pick(3);

	if (!g->vm.rings[ring].gpa) {
		memset(k_page(g, ring_gpa(ring) >> INKTAG_PAGE_SHIFT), 0, PAGE);
		k_ring(g, ring);
	}
	if (!ring_has_room(ring))
		ink_ring_drain(&g->vm);
	/* none even now: a ring that the hostile kernel has broken */
	if (ring_has_room(ring))
		k_report(g, ring, ++seq, haps[h].hap->id, op, va_of(p), prot, arg,
			 op == INKTAG_RING_MAP ? token_of(p) : 0);
}

static void k_unmap(u32 h, u32 p)
{
	struct kpage *k = &haps[h].k[p];

	if (k->state == PRESENT || k->state == SHOWN_ZERO)
		report(h, INKTAG_RING_UNMAP, p, 1, 0);
	if (k->state == PRESENT)
		used[k->gfn - POOL]--;
}

static void k_fault(u32 h, u64 va, u32 access);

static void k_swap_out(u32 h, u32 p)
{
	struct kpage *k = &haps[h].k[p];

	if (!haps[h].hap || k->state != PRESENT)
		return;
	k_unmap(h, p);
	memcpy(k->disk, k_page(g, k->gfn), PAGE);
	memcpy(old[pick(NR_OLD)], k->disk, PAGE);
	k->state = SWAPPED;
}

/* One frame for all of the family: it is taken from all. */
static void k_swap_out_shared(struct family *f, u32 n)
{
	struct kpage *k = &f->k[n];
	u32 h;

	if (!f->haps || k->state != PRESENT)
		return;
	for (h = 0; h < NR_HAPS; h++)
		if (haps[h].hap && haps[h].family == f)
			report(h, INKTAG_RING_UNMAP, P_SHARED + n, 1, 0);
	used[k->gfn - POOL]--;
	memcpy(k->disk, k_page(g, k->gfn), PAGE);
	memcpy(old[pick(NR_OLD)], k->disk, PAGE);
	k->state = SWAPPED;
}

static void k_free(u32 h, u32 p)
{
	k_unmap(h, p);
	haps[h].k[p].state = UNUSED;
}

static void swap_something_out(void)
{
	if (one_in(8))
		k_swap_out_shared(&families[pick(NR_HAPS)], pick(NR_SHARED));
	else
		k_swap_out(pick(NR_HAPS), pick(NR_PAGES));
}

static u64 k_alloc(void)
{
	u32 i;

	for (i = 0; i < 1000; i++) {
		u32 n = pick(POOL_SIZE);

		if (!used[n] && is_ram(g, POOL + n)) {
			used[n] = 1;
			return POOL + n;
		}
		if (i > 100)
			swap_something_out();
	}
	ck_abort_msg("the kernel has no frame left");
	return 0;
}

/* The first write after a fork: the last one that has the frame keeps it, another one gets a copy. */
static void k_cow(u32 h, u32 p)
{
	struct kpage *k = &haps[h].k[p];
	u64 new;

	if (used[k->gfn - POOL] > 1) {
		new = k_alloc();
		/* to find a frame it may have swapped out this very page */
		if (k->state != PRESENT) {
			used[new - POOL]--;
			k_fault(h, va_of(p), INK_WRITE);
			return;
		}
		ink_ring_drain(&g->vm);
		if (p >= P_ARENA || one_in(4) ||
		    ink_hap_copy(&g->vm, haps[h].hap->id, token_of(p), va_of(p), k->gfn, new))
			k_write(g, new, k_page(g, k->gfn));
		else
			copied++;
		used[k->gfn - POOL]--;
		k->gfn = new;
	}
	k->ro = false;
}

/* The page tables are copied; what both can write to, neither can any more. */
static void k_fork(u32 h, u32 child)
{
	struct kpage *k, *c;
	u32 p;

	for (p = 0; p < NR_PAGES; p++) {
		k = &haps[h].k[p];
		c = &haps[child].k[p];
		if (k->state == PRESENT) {
			if (!k->ro && one_in(2))
				report(h, INKTAG_RING_UNMAP, p, 1, 0);
			else
				report(h, INKTAG_RING_MAP, p, k->gfn, INKTAG_PROT_READ);
			k->ro = true;
			used[k->gfn - POOL]++;
		}
		*c = *k;
	}
	haps[child].family = haps[h].family;
	haps[child].family->haps++;
}

static void k_fault(u32 h, u64 va, u32 access)
{
	static const u8 zeros[PAGE];
	u32 p = page_at(va);
	struct kpage *k = p >= P_SHARED ? &haps[h].family->k[p - P_SHARED] : &haps[h].k[p];

	served++;
	if (k->state == UNUSED && access != INK_WRITE && p < NR_DATA)
		k->state = SHOWN_ZERO;
	if (k->state == SHOWN_ZERO && access != INK_WRITE) {
		report(h, INKTAG_RING_MAP, p, ZERO_GFN, INKTAG_PROT_READ);
		return;
	}
	if (k->state != PRESENT) {
		k->gfn = k_alloc();
		k_write(g, k->gfn, k->state == SWAPPED ? k->disk : zeros);
		k->state = PRESENT;
		k->ro = false;
	} else if (k->ro && access == INK_WRITE) {
		k_cow(h, p);
	}
	report(h, INKTAG_RING_MAP, p, k->gfn, INKTAG_PROT_READ | (k->ro ? 0 : INKTAG_PROT_WRITE));
}

/* --- the kernel, attacking -------------------------------------------------------------------------- */

static u64 any_gfn(void)
{
	return one_in(10) ? GFN_BASE + pick(NR_GFNS + 4) : POOL + pick(POOL_SIZE + 3);
}

/* Another vCPU's doing while the core is at work: only what needs no lock. */
static void racer(struct guest *guest, u64 gfn, bool after)
{
	(void)after;
	if (one_in(3) && is_ram(guest, gfn) && guest->npt[gfn - GFN_BASE])
		slot_page(guest, gfn)[pick(PAGE)] ^= 1 + pick(255);
	gfn = POOL + pick(POOL_SIZE);
	if (one_in(20) && is_ram(guest, gfn))
		dev_write(guest, gfn, old[pick(NR_OLD)]);
	if (one_in(10) && guest->vm.rings[1].gpa && guest->npt[(ring_gpa(1) >> 12) - GFN_BASE] &&
	    is_ram(guest, ring_gpa(1) >> 12)) {
		struct inktag_ring_hdr *hdr = (void *)slot_page(guest, ring_gpa(1) >> 12);

		if (hdr->tail - hdr->head < 60)
			k_report(guest, 1, ++seq, 1 + pick(guest->vm.last_hap), 1 + pick(2),
				 va_of(pick(NR_PAGES)), pick(8), any_gfn(), pick(NR_TOKENS));
	}
}

/* One that lives. */
static u32 any_hap(void)
{
	u32 h = pick(NR_HAPS);

	while (!haps[h].hap)
		h = (h + 1) % NR_HAPS;
	return h;
}

static void attack(void)
{
	u32 h = any_hap(), h2 = pick(NR_HAPS), p = pick(NR_PAGES), i;
	u64 gfn = any_gfn(), from = any_gfn();
	struct ink_thread *t;
	u8 page[PAGE];

	switch (pick(20)) {
	case 0:		/* look */
		if (is_ram(g, gfn))
			memcpy(old[pick(NR_OLD)], k_page(g, gfn), PAGE);
		break;
	case 1:		/* change a byte */
		if (is_ram(g, gfn))
			k_page(g, gfn)[pick(PAGE)] ^= 1 + pick(255);
		break;
	case 2:		/* put an old page, or one from elsewhere */
		if (is_ram(g, gfn))
			k_write(g, gfn, old[pick(NR_OLD)]);
		break;
	case 3:
		if (is_ram(g, gfn) && is_ram(g, from)) {
			memcpy(page, k_page(g, from), PAGE);
			k_write(g, gfn, page);
		}
		break;
	case 4:		/* a device does */
		if (is_ram(g, gfn))
			dev_write(g, gfn, old[pick(NR_OLD)]);
		break;
	case 5:
		for (i = 0; i < PAGE; i++)
			page[i] = g_rand_int(rng);
		if (is_ram(g, gfn))
			dev_write(g, gfn, page);
		break;
	case 6:		/* exchange two frames, or two pages on disk */
		memcpy(page, haps[h].k[p].disk, PAGE);
		memcpy(haps[h].k[p].disk, haps[h2].k[pick(NR_PAGES)].disk, PAGE);
		memcpy(haps[h2].k[pick(NR_PAGES)].disk, page, PAGE);
		break;
	case 7:
		i = pick(NR_PAGES);
		if (haps[h].k[p].state == PRESENT && haps[h].k[i].state == PRESENT) {
			gfn = haps[h].k[p].gfn;
			haps[h].k[p].gfn = haps[h].k[i].gfn;
			haps[h].k[i].gfn = gfn;
			k_fault(h, va_of(p), INK_WRITE);
			k_fault(h, va_of(i), INK_WRITE);
		}
		break;
	case 8:		/* false reports */
	case 9:
		report(h, INKTAG_RING_MAP, p, gfn, pick(8));
		break;
	case 10:
		report(h, INKTAG_RING_UNMAP, p, one_in(3) ? U64_MAX : pick(5), 0);
		break;
	case 11:
		if (g->vm.rings[0].gpa && ring_has_room(0))
			k_report(g, 0, pick(2) ? seq : 0, pick(4), pick(256), (u64)g_rand_int(rng) << 20,
				 pick(16), g_rand_int(rng), pick(100));
		ink_ring_drain(&g->vm);
		break;
	case 12:	/* a ring withdrawn, or broken */
		i = pick(3);
		if (!g->vm.rings[i].gpa)
			break;
		if (one_in(2))
			ck_assert_int_eq(ink_ring_set(&g->vm, i, 0, 0), 0);
		else
			*(one_in(2) ? &ring_hdr(g, i)->tail : &ring_hdr(g, i)->head) += pick(1000);
		ink_ring_drain(&g->vm);
		break;
	case 13:	/* resume what is not suspended, or not there */
		i = pick(2);
		if (one_in(2) && haps[h].cpu[i] >= 0)
			ck_assert_int_eq(ink_thread_resume(&g->vm, haps[h].handle[i], haps[h].cr3, 0, &t),
					 -EBUSY);
		else
			ck_assert_int_lt(ink_thread_resume(&g->vm, haps[h].handle[i], haps[h].cr3 + 8, 0, &t), 0);
		break;
	case 14:
		ck_assert_int_eq(ink_hap_create(&g->vm, haps[h].cr3, 0, 0, 0), -EEXIST);
		break;
	case 15:
		fail_guest(g, 1 + pick(5), 1);
		break;
	case 16:
		fail_allocation(1 + pick(5), 1);
		break;
	case 17:	/* copies that make no sense, or only some */
	case 18:
		if (haps[h].k[p].state == PRESENT && one_in(2))
			from = haps[h].k[p].gfn;
		ink_hap_copy(&g->vm, one_in(4) ? pick(g->vm.last_hap + 2) : haps[h].hap->id,
			     one_in(4) ? pick(NR_TOKENS) : token_of(p), va_of(p), from, gfn);
		break;
	case 19:	/* write-protected, or not any more, out of the blue */
		haps[h].k[p].ro = one_in(2);
		break;
	}
	memset(slot_page(g, ZERO_GFN), 0, PAGE);
}

/* --- the HAPs --------------------------------------------------------------------------------------- */

static void suspend(u32 h, u32 i)
{
	cpu_suspend(g, haps[h].cpu[i], INK_SYSCALL + pick(3));
	haps[h].cpu[i] = -1;
}

/* One that is, or is made, free: its thread is interrupted. */
static u32 free_cpu(void)
{
	u32 cpu, h, i, victim = pick(NR_CPUS);

	for (cpu = 0; cpu < NR_CPUS; cpu++)
		if (!g->cpu[cpu].hap)
			return cpu;
	for (h = 0; h < NR_HAPS; h++)
		for (i = 0; haps[h].hap && i < 2; i++)
			if (haps[h].cpu[i] == (int)victim)
				suspend(h, i);
	ck_assert_ptr_null(g->cpu[victim].hap);
	return victim;
}

static void launch(u32 h)
{
	struct ink_thread *t;
	u32 p, i, cpu;

	fail_allocation(0, 0);
	fail_guest(g, 0, 0);
	g->race = NULL;
	for (p = 0; p < NR_PAGES; p++) {
		haps[h].k[p].state = UNUSED;
		memset(haps[h].k[p].disk, 0, PAGE);
	}
	memset(haps[h].twin, 0, sizeof(haps[h].twin));
	for (i = 0; families[i].haps; i++)
		;
	haps[h].family = &families[i];
	memset(&families[i], 0, sizeof(families[i]));
	families[i].haps = 1;
	haps[h].k[P_ARRAY].gfn = k_alloc();
	haps[h].k[P_ARRAY].state = PRESENT;
	haps[h].k[P_ARRAY].ro = false;
	haps[h].hap = hap_build(g, haps[h].k[P_ARRAY].gfn, CODE + h);
	haps[h].cr3 = haps[h].hap->cr3;
	haps[h].cpu[0] = haps[h].cpu[1] = NO_THREAD;
	for (i = 0; i < 2; i++) {
		cpu = free_cpu();
		if (i) {
			ck_assert_int_eq(ink_thread_create(haps[h].hap, &t), 0);
			ck_assert_int_eq(ink_thread_start(t), 0);
			cpu_enter(g, cpu, t);
		} else {
			t = hap_start(g, haps[h].hap, cpu);
		}
		haps[h].handle[i] = t->handle;
		haps[h].cpu[i] = cpu;
	}
	ck_assert_int_eq(ink_object_share(haps[h].hap, SER_OTHER), 0);
}

/* It has ended: the kernel gets its frames back, and may look at them. */
static void bury(u32 h)
{
	u32 p;

	haps[h].hap = NULL;
	for (p = 0; p < NR_PAGES; p++)
		if (haps[h].k[p].state == PRESENT)
			used[haps[h].k[p].gfn - POOL]--;
	if (--haps[h].family->haps)
		return;
	for (p = 0; p < NR_SHARED; p++)
		if (haps[h].family->k[p].state == PRESENT)
			used[haps[h].family->k[p].gfn - POOL]--;
}

static void end(u32 h)
{
	hap_kill(g, haps[h].hap);
	bury(h);
}

/* The page as the HAP sees it, or NULL: it was killed, or its kernel does not serve it. */
static u8 *touch(u32 h, u32 cpu, u32 p, u32 access)
{
	struct kvm_inktag_violation v;
	struct access a;
	u32 tries;

	for (tries = 0; tries < 12; tries++) {
		bool *gone = &g->absent[POOL + pick(POOL_SIZE) - GFN_BASE];

		g->race = hostile && one_in(4) ? racer : NULL;
		*gone = hostile && one_in(8);	/* a slot is taken away meanwhile */
		a = hap_access(g, cpu, va_of(p) + pick(PAGE), access);
		*gone = false;
		g->race = NULL;
		fail_guest(g, 0, 0);
		fail_allocation(0, 0);
		switch (a.verdict) {
		case INK_MAPPED:
			return a.page;
		case INK_ASK:
			if (hostile && one_in(8))
				return NULL;
			k_fault(h, a.ask_va, a.ask_access);
			break;
		case INK_KILL:
			ck_assert_int_eq(ink_violation_next(&g->vm, &v), 0);
			ck_assert_uint_eq(v.hap, haps[h].hap->id);
			/* fall through */
		case INK_NOMEM:
			ck_assert_msg(hostile, "killed under an honest kernel: verdict %d, check %u at %#llx", a.verdict,
				      v.check, (unsigned long long)v.addr);
			guest_check(g);
			killed++;
			end(h);
			return NULL;
		default:
			ck_abort();
		}
	}
	ck_assert_msg(hostile || haps[h].hap->forks, "an honest kernel's answers do not help");
	return NULL;
}

static u64 *twin_of(u32 h, u32 p)
{
	return p >= P_SHARED ? &haps[h].family->twin[p - P_SHARED] : &haps[h].twin[p];
}

static void expect(u32 h, u32 p, const u8 *page)
{
	u64 want = *twin_of(h, p);

	ck_assert_msg(want ? secret_is(page, want) : is_zero(page, PAGE),
		      "I2: HAP %u reads in page %u what is not its last content %llu", h, p,
		      (unsigned long long)want);
}

/* The thread that leaves with a prepared child comes back. The kernel may lie about that, and is found out. */
static void come_back(u32 h, u32 i, bool started, bool failed)
{
	struct kvm_inktag_violation v;
	int err;

	haps[h].cpu[i] = free_cpu();
	err = cpu_resume(g, haps[h].cpu[i], haps[h].handle[i], haps[h].cr3, failed ? -11 : 4711);
	if (!err) {
		ck_assert(!failed || !started);
		return;
	}
	ck_assert_int_eq(err, -ESTALE);
	ck_assert(failed && started && hostile);
	ck_assert_int_eq(ink_violation_next(&g->vm, &v), 0);
	ck_assert_uint_eq(v.check, INKTAG_CHECK_LINEAGE);
	killed++;
	if (haps[h].cpu[!i] >= 0)	/* ended, and found out when it leaves */
		cpu_suspend(g, haps[h].cpu[!i], INK_INTERRUPT);
	bury(h);
}

static void use_memory(u32 h, u32 i);

/* A process: prepared, copied by the kernel, started; other threads and the kernel's swapping are in between. */
static void make_process(u32 h, u32 i)
{
	u64 handle, cr3 = g->next_cr3;
	u32 c, n, at;

	for (c = 0; c < NR_HAPS && haps[c].hap; c++)
		;
	if (c == NR_HAPS)
		return;
	if (hostile && one_in(4))
		fail_allocation(1 + pick(20), 1);
	n = hap_clone(g, haps[h].cpu[i], true, &handle);
	fail_allocation(0, 0);
	guest_check(g);
	if (n)
		return;
	haps[h].cpu[i] = -1;
	memcpy(haps[c].twin, haps[h].twin, sizeof(haps[c].twin));
	/* before the kernel copies the page tables: the other thread's writes are its own, or wait */
	for (n = pick(4); n && haps[h].hap && haps[h].cpu[!i] >= 0; n--)
		use_memory(h, !i);
	if (one_in(2))
		k_swap_out(h, pick(NR_PAGES));
	if (!haps[h].hap)
		return;
	if (one_in(6)) {	/* the kernel could not make it */
		come_back(h, i, false, true);
		return;
	}
	k_fork(h, c);
	for (n = pick(4); n && haps[h].hap && haps[h].cpu[!i] >= 0; n--)
		use_memory(h, !i);
	if (one_in(2))
		k_swap_out(h, pick(NR_PAGES));
	if (haps[h].hap && one_in(2)) {
		come_back(h, i, false, false);
		i = 2;		/* it is back */
	}
	g->next_cr3 += PAGE;
	at = free_cpu();
	if (cpu_resume(g, at, handle, cr3, 1)) {
		/* its maker has ended, and it had not started */
		ck_assert(hostile && !haps[h].hap);
		bury(c);
		return;
	}
	haps[c].hap = g->cpu[at].hap;
	haps[c].cr3 = cr3;
	haps[c].handle[0] = handle;
	haps[c].cpu[0] = at;
	haps[c].cpu[1] = NO_THREAD;
	forked++;
	guest_check(g);
	if (haps[h].hap && i < 2)
		come_back(h, i, true, hostile && one_in(8));
	/* a child that ended at once would have copied nothing */
	for (n = pick(16); n && haps[c].hap && haps[c].cpu[0] >= 0; n--)
		use_memory(c, 0);
}

static void work(void)
{
	u32 h = any_hap(), i = pick(2);
	int cpu = haps[h].cpu[i], err;
	u64 handle;

	if (cpu == NO_THREAD) {		/* the other one makes it */
		if (haps[h].cpu[!i] < 0)
			return;
		fail_allocation(0, 0);
		err = hap_clone(g, haps[h].cpu[!i], false, &handle);
		ck_assert_int_eq(err, 0);
		haps[h].cpu[!i] = -1;
		haps[h].handle[i] = handle;
		haps[h].cpu[i] = free_cpu();
		ck_assert_int_eq(cpu_resume(g, haps[h].cpu[i], handle, haps[h].cr3, 1), 0);
		come_back(h, !i, true, false);
		return;
	}
	if (cpu < 0) {
		cpu = free_cpu();
		err = cpu_resume(g, cpu, haps[h].handle[i], haps[h].cr3, 0);
		ck_assert_int_eq(err, 0);
		haps[h].cpu[i] = cpu;
		return;
	}
	if (one_in(40))
		make_process(h, i);
	else if (one_in(100))
		end(h);
	else if (one_in(40) && haps[h].cpu[!i] != NO_THREAD) {
		cpu_thread_exit(g, cpu);
		haps[h].cpu[i] = NO_THREAD;
	} else if (one_in(10))
		suspend(h, i);
	else
		use_memory(h, i);
}

static void use_memory(u32 h, u32 i)
{
	int cpu = haps[h].cpu[i], err;
	u32 p = pick(NR_DATA);
	u8 *page;

	switch (pick(9)) {
	case 0:		/* munmap: the HAP first, then its kernel */
		/* while a process is made, the shim's lock keeps the other threads from that */
		if (pick(3) || haps[h].hap->forks)
			break;
		err = ink_hap_unmap(haps[h].hap, va_of(p), 1, SER_DATA, 100 + p);
		ck_assert_int_eq(err, haps[h].twin[p] ? 1 : 0);
		haps[h].twin[p] = 0;
		k_free(h, p);
		break;
	case 1:		/* the arena is shared, and carries no secret */
		page = touch(h, cpu, P_ARENA + pick(2), one_in(2) ? INK_READ : INK_WRITE);
		if (page)
			ck_assert(!has_secret(page, PAGE));
		break;
	case 2:		/* trusted mappings go, contents stay */
		ck_assert_int_eq(ink_hap_unmap(haps[h].hap, va_of(p), 1 + pick(NR_DATA - p), 0, 0), 0);
		break;
	case 3:
	case 4:
	case 5:
		if (one_in(6))
			p = P_SHARED + pick(NR_SHARED);
		page = touch(h, cpu, p, INK_READ);
		if (page)
			expect(h, p, page);
		break;
	default:
		if (one_in(6))
			p = P_SHARED + pick(NR_SHARED);
		page = touch(h, cpu, p, INK_WRITE);
		if (page) {
			expect(h, p, page);
			*twin_of(h, p) = ++name;
			secret_fill(page, name);
		}
	}
}

/* What the twin has content for, the core knows. */
static void compare_states(void)
{
	u32 h, p;

	for (h = 0; h < NR_HAPS; h++)
		for (p = 0; haps[h].hap && p < NR_DATA; p++)
			if (haps[h].twin[p])
				ck_assert_ptr_nonnull(SPAGE(haps[h].hap, SER_DATA, 100 + p));
}

/* nr 0: of a seed that is always the same. */
static void run(int nr, bool with_hostile, u32 steps)
{
	u64 with_seed = nr ? seed + nr : 1;
	u32 i;

	memset(haps, 0, sizeof(haps));
	memset(used, 0, sizeof(used));
	memset(families, 0, sizeof(families));
	rng = g_rand_new_with_seed(with_seed);
	hostile = with_hostile;
	printf("twin: %s kernel, seed %llu\n", hostile ? "hostile" : "honest",
	       (unsigned long long)with_seed);
	fflush(stdout);
	g = guest_new(&roomy);
	for (i = 0; i < steps; i++, steps_run++) {
		u32 h = pick(NR_HAPS), alive = !!haps[0].hap + !!haps[1].hap + !!haps[2].hap;

		if (!haps[h].hap && (!alive || one_in(100)))
			launch(h);
		else if (!alive)
			continue;
		else if (hostile && one_in(3))
			attack();
		else if (one_in(10))
			swap_something_out();
		else
			work();
		guest_check(g);
		if (i % 64 == 0)
			guest_check_secrecy(g);
	}
	compare_states();
	fail_allocation(0, 0);
	fail_guest(g, 0, 0);
	/* All that can happen did. Of a seed that is another one each time, that is a matter of luck. */
	if (!nr) {
		ck_assert_uint_gt(g->seals, steps / 100);
		ck_assert_uint_gt(g->unseals, steps / 100);
		ck_assert_uint_gt(forked, steps / 1000);
		ck_assert_uint_gt(copied, steps / 1000);
		ck_assert(!hostile || killed);
	}
	if (!hostile)
		expect_no_violation(g);
	printf("twin: %u steps, %llu faults served, %llu pages sealed, %llu opened, %llu forks, %llu pages copied, "
	       "%llu HAPs killed\n", i, (unsigned long long)served, (unsigned long long)g->seals,
	       (unsigned long long)g->unseals, (unsigned long long)forked, (unsigned long long)copied,
	       (unsigned long long)killed);
	guest_free(g);
	nothing_leaked();
	g_rand_free(rng);
}

#define STEPS 10000

START_TEST(honest)
{
	run(_i, false, STEPS);
}
END_TEST

START_TEST(hostile_kernel)
{
	run(_i, true, STEPS);
}
END_TEST

Suite *suite_twin(void)
{
	Suite *s = suite_create("twin");
	TCase *tc = unit_case("twin");

	tcase_add_loop_test(tc, honest, 0, 3);
	tcase_add_loop_test(tc, hostile_kernel, 0, 6);
	suite_add_tcase(s, tc);
	return s;
}
