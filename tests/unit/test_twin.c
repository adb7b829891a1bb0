// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two HAPs at work on random pages, under a kernel that serves them, and attacks them as well.
 * Beside them a twin so simple that it is right: for each page the number of its last content,
 * 0 for none. Whatever the kernel does, a HAP reads what the twin says, or it is killed (I2);
 * the secret is nowhere in the guest's memory (I1). Under an honest kernel nobody is killed.
 */
#include <stdio.h>
#include "unit.h"

#define NR_HAPS		2
#define NR_DATA		12		/* data pages of each HAP */
#define P_ARRAY		NR_DATA		/* the kernel's view has the array's page, too, */
#define P_ARENA		(NR_DATA + 1)	/* and two pages of the arena */
#define NR_PAGES	(NR_DATA + 3)
#define POOL		FIRST_GFN	/* the kernel's free frames */
#define POOL_SIZE	40
#define ZERO_GFN	(POOL + POOL_SIZE)	/* the kernel's own page of zeros */
#define CODE		(ZERO_GFN + 1)		/* two */
#define NR_OLD		24

struct kpage {
	enum { UNUSED, SHOWN_ZERO, PRESENT, SWAPPED } state;
	u64 gfn;
	u8 disk[PAGE];
};

static struct guest *g;
static GRand *rng;
static bool hostile;
static u64 seq, name;

static struct {
	struct ink_hap *hap;
	u64 cr3;
	u64 handle[2];
	int cpu[2];			/* of each thread; -1: suspended */
	u64 twin[NR_DATA];
	struct kpage k[NR_PAGES];
} haps[NR_HAPS];

static bool used[POOL_SIZE];
static u8 old[NR_OLD][PAGE];		/* ciphertexts that the hostile kernel has kept */
static u64 killed, served, steps_run;

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
	return p == P_ARRAY ? INKTAG_DESC_BASE :
	       p >= P_ARENA ? INKTAG_ARENA_BASE + (p - P_ARENA) * PAGE : DATA_VA + p * PAGE;
}

static u32 token_of(u32 p)
{
	return p == P_ARRAY ? T_ARRAY : p >= P_ARENA ? T_ARENA : T_DATA;
}

static u32 page_at(u64 va)
{
	u32 p;

	for (p = 0; p < NR_PAGES; p++)
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
		used[k->gfn - POOL] = false;
}

static void k_swap_out(u32 h, u32 p)
{
	struct kpage *k = &haps[h].k[p];

	if (k->state != PRESENT)
		return;
	k_unmap(h, p);
	memcpy(k->disk, k_page(g, k->gfn), PAGE);
	memcpy(old[pick(NR_OLD)], k->disk, PAGE);
	k->state = SWAPPED;
}

static void k_free(u32 h, u32 p)
{
	k_unmap(h, p);
	haps[h].k[p].state = UNUSED;
}

static u64 k_alloc(void)
{
	u32 i;

	for (i = 0; i < 1000; i++) {
		u32 n = pick(POOL_SIZE);

		if (!used[n] && is_ram(g, POOL + n)) {
			used[n] = true;
			return POOL + n;
		}
		if (i > 100)
			k_swap_out(pick(NR_HAPS), pick(NR_PAGES));
	}
	ck_abort_msg("the kernel has no frame left");
	return 0;
}

static void k_fault(u32 h, u64 va, u32 access)
{
	static const u8 zeros[PAGE];
	u32 p = page_at(va);
	struct kpage *k = &haps[h].k[p];

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
	}
	report(h, INKTAG_RING_MAP, p, k->gfn, INKTAG_PROT_READ | INKTAG_PROT_WRITE);
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
			k_report(guest, 1, ++seq, haps[pick(NR_HAPS)].hap->id, 1 + pick(2),
				 va_of(pick(NR_PAGES)), pick(8), any_gfn(), pick(NR_TOKENS));
	}
}

static void attack(void)
{
	u32 h = pick(NR_HAPS), p = pick(NR_PAGES), i;
	u64 gfn = any_gfn(), from = any_gfn();
	struct ink_thread *t;
	u8 page[PAGE];

	switch (pick(17)) {
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
		memcpy(haps[h].k[p].disk, haps[!h].k[pick(NR_PAGES)].disk, PAGE);
		memcpy(haps[!h].k[pick(NR_PAGES)].disk, page, PAGE);
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
			ck_assert_int_lt(ink_thread_resume(&g->vm, haps[h].handle[i], haps[!h].cr3, 0, &t), 0);
		break;
	case 14:
		ck_assert_int_eq(ink_hap_create(&g->vm, haps[h].cr3, 0), -EEXIST);
		break;
	case 15:
		fail_guest(g, 1 + pick(5), 1);
		break;
	case 16:
		fail_allocation(1 + pick(5), 1);
		break;
	}
	memset(slot_page(g, ZERO_GFN), 0, PAGE);
}

/* --- the HAPs --------------------------------------------------------------------------------------- */

static u32 free_cpu(void)
{
	u32 cpu;

	for (cpu = 0; g->cpu[cpu].hap; cpu++)
		ck_assert_uint_lt(cpu, NR_CPUS - 1);
	return cpu;
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
	haps[h].k[P_ARRAY].gfn = k_alloc();
	haps[h].k[P_ARRAY].state = PRESENT;
	haps[h].hap = hap_build(g, haps[h].k[P_ARRAY].gfn, CODE + h);
	haps[h].cr3 = haps[h].hap->cr3;
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
}

static void end(u32 h)
{
	u32 p;

	hap_kill(g, haps[h].hap);
	/* the kernel gets back all frames, and may look at them */
	for (p = 0; p < NR_PAGES; p++)
		if (haps[h].k[p].state == PRESENT)
			used[haps[h].k[p].gfn - POOL] = false;
	launch(h);
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
			ck_assert_msg(hostile, "killed under an honest kernel: verdict %d", a.verdict);
			guest_check(g);
			killed++;
			end(h);
			return NULL;
		}
	}
	ck_assert_msg(hostile, "an honest kernel's answers do not help");
	return NULL;
}

static void expect(u32 h, u32 p, const u8 *page)
{
	u64 want = haps[h].twin[p];

	ck_assert_msg(want ? secret_is(page, want) : is_zero(page, PAGE),
		      "I2: HAP %u reads in page %u what is not its last content %llu", h, p,
		      (unsigned long long)want);
}

static void work(void)
{
	u32 h = pick(NR_HAPS), i = pick(2), p = pick(NR_DATA);
	int cpu = haps[h].cpu[i], err;
	u8 *page;

	if (cpu < 0) {
		cpu = free_cpu();
		err = cpu_resume(g, cpu, haps[h].handle[i], haps[h].cr3, 0);
		ck_assert_int_eq(err, 0);
		haps[h].cpu[i] = cpu;
		return;
	}
	switch (pick(10)) {
	case 0:
		cpu_suspend(g, cpu, INK_SYSCALL + pick(3));
		haps[h].cpu[i] = -1;
		break;
	case 1:		/* munmap: the HAP first, then its kernel */
		if (pick(3))
			break;
		err = ink_hap_unmap(haps[h].hap, va_of(p), 1, SER_DATA, 100 + p);
		ck_assert_int_eq(err, haps[h].twin[p] ? 1 : 0);
		haps[h].twin[p] = 0;
		k_free(h, p);
		break;
	case 2:		/* the arena is shared, and carries no secret */
		page = touch(h, cpu, P_ARENA + pick(2), one_in(2) ? INK_READ : INK_WRITE);
		if (page)
			ck_assert(!has_secret(page, PAGE));
		break;
	case 3:		/* trusted mappings go, contents stay */
		ck_assert_int_eq(ink_hap_unmap(haps[h].hap, va_of(p), 1 + pick(NR_DATA - p), 0, 0), 0);
		break;
	case 4:
	case 5:
	case 6:
		page = touch(h, cpu, p, INK_READ);
		if (page)
			expect(h, p, page);
		break;
	default:
		page = touch(h, cpu, p, INK_WRITE);
		if (page) {
			expect(h, p, page);
			haps[h].twin[p] = ++name;
			secret_fill(page, name);
		}
	}
}

/* What the twin has content for, the core knows. */
static void compare_states(void)
{
	u32 h, p;

	for (h = 0; h < NR_HAPS; h++)
		for (p = 0; p < NR_DATA; p++)
			if (haps[h].twin[p])
				ck_assert_ptr_nonnull(SPAGE(haps[h].hap, SER_DATA, 100 + p));
}

static void run(u64 with_seed, bool with_hostile, u32 steps)
{
	u32 i;

	rng = g_rand_new_with_seed(with_seed);
	hostile = with_hostile;
	printf("twin: %s kernel, seed %llu\n", hostile ? "hostile" : "honest",
	       (unsigned long long)with_seed);
	fflush(stdout);
	g = guest_new(&roomy);
	for (i = 0; i < NR_HAPS; i++)
		launch(i);
	for (i = 0; i < steps; i++, steps_run++) {
		if (hostile && one_in(3))
			attack();
		else if (one_in(10))
			k_swap_out(pick(NR_HAPS), pick(NR_PAGES));
		else
			work();
		guest_check(g);
		if (i % 64 == 0)
			guest_check_secrecy(g);
	}
	compare_states();
	fail_allocation(0, 0);
	fail_guest(g, 0, 0);
	ck_assert_uint_gt(g->seals, steps / 100);
	ck_assert_uint_gt(g->unseals, steps / 100);
	if (hostile)
		ck_assert_uint_gt(killed, 0);
	else
		expect_no_violation(g);
	printf("twin: %u steps, %llu faults served, %llu pages sealed, %llu opened, %llu HAPs killed\n", i,
	       (unsigned long long)served, (unsigned long long)g->seals, (unsigned long long)g->unseals,
	       (unsigned long long)killed);
	guest_free(g);
	nothing_leaked();
	g_rand_free(rng);
}

#define STEPS 10000

START_TEST(honest)
{
	run(_i ? seed + _i : 1, false, STEPS);
}
END_TEST

START_TEST(hostile_kernel)
{
	run(_i ? seed + _i : 1, true, STEPS);
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
