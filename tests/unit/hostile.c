// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hostile.c - a stream of bytes becomes a sequence of calls into the core: each hypercall, fault
 * and exit as the glue would make it, with arguments out of range, out of place and out of order.
 * (I8). The checks are those that hold always; what is right for one call is tested elsewhere.
 */
#include "hostile.h"

#define SER_FILE	60

static struct guest *g;
static struct store *st;
static const u64 oids[][2] = { { 1, 1 }, { 2, 2 }, { 3, 3 } };	/* the store has not the last one */
static const u8 *bytes, *bytes_end;

static u32 byte(void)
{
	return bytes < bytes_end ? *bytes++ : 0;
}

static u64 wild(void)
{
	u64 v = 0;
	u32 i;

	for (i = 0; i < 8; i++)
		v = v << 8 | byte();
	return v;
}

/* A number that may matter: near a bound, near something that exists, or any. */
static u64 number(void)
{
	static const u64 bounds[] = {
		0, 1, 2, INKTAG_ADD_MAX, INKTAG_UNMAP_MAX, INKTAG_DESC_MAX, 1ULL << 31, 1ULL << 32,
		INKTAG_INDEX_END, INK_GFN_END, 1ULL << 47, 1ULL << 52, 1ULL << 63, U64_MAX,
		INKTAG_TOKEN_NONE, INKTAG_USER_END,
	};
	u32 b = byte();

	if (b < 16)
		return wild();
	if (b < 64)
		return bounds[b % ARRAY_SIZE(bounds)] + byte() % 5 - 2;
	return b % 16;
}

static u64 address(void)
{
	static const u64 places[] = {
		CODE_VA, DATA_VA, RO_VA, INKTAG_ARENA_BASE, OTHER_VA, RWX_VA, ALIAS_VA, FREE_VA,
		INKTAG_DESC_BASE, INKTAG_USER_END - PAGE,
	};
	u32 b = byte();

	if (b < 8)
		return number();
	if (b < 16)
		return number() * PAGE;
	return places[b % ARRAY_SIZE(places)] + byte() % 6 * PAGE;
}

static u64 frame(void)
{
	u32 b = byte();

	return b < 8 ? number() : GFN_BASE + b % 48;
}

static u64 token(void)
{
	u32 b = byte();

	return b < 8 ? number() : b % (NR_TOKENS + 2);
}

/* A HAP's id, cr3 or handle: one that is, or was, or never was. */
static u32 id(void)
{
	return byte() % 16 ? g->vm.last_hap - byte() % 3 : (u32)number();
}

static u64 cr3(void)
{
	return (1 + byte() % 6) * PAGE;
}

/* Of a thread: one that is, was, or never was. */
static u64 handle(void)
{
	return byte() < 8 ? wild() : (u64)id() << 32 | byte() % 5;
}

static struct ink_hap *any_hap(void)
{
	return ink_hap_find(&g->vm, id());
}

/* Whatever the guest's page table is made to say, and a different thing when asked again. */
static int translate(void *ctx, u64 va, u64 *gfn)
{
	(void)ctx;
	(void)va;
	if (byte() < 4)
		return -EAGAIN;
	*gfn = byte() < 240 ? GFN_BASE + 8 + va / PAGE % 40 : frame();
	return 0;
}

static void leave(struct cpu *cpu, enum ink_thread_state state)
{
	cpu_suspend(g, cpu - g->cpu, state);
}

static void enter(u32 nr, struct ink_thread *t)
{
	cpu_enter(g, nr, t);
}

static void k_descriptors(u64 gfn)
{
	struct inktag_desc *d;
	u8 page[PAGE] = { 0 };
	u32 i;

	memcpy(page, descs, sizeof(descs));
	d = (struct inktag_desc *)page;
	for (i = 0; byte() < 64 && i < 8; i++)
		((u8 *)d)[byte() * 3 % sizeof(descs)] = byte();
	k_write(g, gfn, page);
}

/* Half of the reports fit together, so that some are true. */
static void ring_entry(u32 ring)
{
	u32 prot = byte() % 9, op = byte() % 5, hap = id();
	u64 va = address() & ~(PAGE - 1), gfn = frame(), tok = token();

	if (byte() < 128) {
		prot = 7;
		op = INKTAG_RING_MAP;
		tok = byte() % T_FREE;
		va = (tok ? descs[tok].addr : INKTAG_DESC_BASE) + byte() % 4 * PAGE;
	}
	if (!g->vm.rings[ring].gpa)
		ink_ring_set(&g->vm, ring, ring_gpa(ring), 6);
	if (g->vm.rings[ring].gpa == ring_gpa(ring) && g->vm.rings[ring].log2 == 6 &&
	    ring_hdr(g, ring)->tail - ring_hdr(g, ring)->head < 64)
		k_report(g, ring, byte(), hap, op, va, prot, op == INKTAG_RING_MAP ? gfn : number(), tok);
}

/* Of a system call: an error, 0, a process. */
static u64 result(void)
{
	return byte() < 64 ? -(u64)byte() : byte() < 16 ? wild() : 4711;
}

/* A thread that there is, in its address space; or any numbers. */
static int resume(struct ink_thread **t)
{
	struct ink_hap *hap = any_hap();

	if (hap && byte() < 192)
		return ink_thread_resume(&g->vm, (u64)hap->id << 32 | (1 + byte() % 3),
					 hap->cr3 == INK_NO_CR3 ? 0x200000 + byte() % 8 * PAGE : hap->cr3, result(), t);
	return ink_thread_resume(&g->vm, handle(), cr3(), result(), t);
}

static int deliver(struct ink_thread **t)
{
	u64 args[3] = { wild(), wild(), wild() };
	struct ink_hap *hap = any_hap();

	if (hap && byte() < 192)
		return ink_thread_signal(&g->vm, (u64)hap->id << 32 | (1 + byte() % 3), hap->cr3, address(), args, t);
	return ink_thread_signal(&g->vm, handle(), cr3(), wild(), args, t);
}

/* The kernel's copy-on-write, which makes sense or not. */
static void copy(void)
{
	u64 gfn = frame();
	struct ink_spage *s = ink_map_get(&g->vm.held, gfn);
	struct ink_hap *hap = s && s->map.hap ? s->map.hap : any_hap();
	u64 va = s && s->map.hap ? s->map.va : address();
	u32 tok;

	for (tok = 0; tok < T_FREE && va - descs[tok].addr >= descs[tok].npages * PAGE; tok++)
		;
	ink_hap_copy(&g->vm, hap && byte() < 224 ? hap->id : id(), byte() < 224 ? tok % T_FREE : token(),
		     byte() < 224 ? va : number(), byte() < 224 ? gfn : frame(), frame());
}

/* The VMM: it answers, or refuses, or is slow, or another one answers meanwhile. */
static void serve(void)
{
	static const int errors[] = { -EIO, -ENOENT, -EBUSY, -EINVAL };
	const struct kvm_inktag_store *r;

	if (byte() < 32)
		store_refuse(st, byte() % KVM_INKTAG_STORE_OP_COUNT, errors[byte() % ARRAY_SIZE(errors)]);
	if (byte() < 16 && !ink_store_take(&g->vm, &r)) {
		g->vm.request_state = INK_REQUEST_MADE;
		return;
	}
	store_serve(st, g);
}

/* The window at OTHER_VA shows a file, or memory. */
static void turn_window(struct ink_hap *hap)
{
	struct ink_spage *s = SPAGE(hap, 0, 0);
	struct inktag_desc *d;

	if (!s || !s->frame)
		return;
	d = (struct inktag_desc *)s->frame + T_OTHER;
	d->kind = byte() < 224 ? INKTAG_KIND_FILE : INKTAG_KIND_PRIVATE;
	d->oid[0] = d->kind == INKTAG_KIND_FILE ? SER_FILE : SER_OTHER;
}

static void file_step(struct cpu *cpu)
{
	struct ink_file *file = ink_object_file(cpu->hap, SER_FILE);
	u64 serial = byte() < 224 ? SER_FILE : number(), answer[4];

	switch (byte() % 10) {
	case 0:
	case 1:
		turn_window(cpu->hap);
		ink_file_open(cpu->thread, serial, oids[byte() % ARRAY_SIZE(oids)]);
		break;
	case 2:
	case 3:
		ink_file_length(cpu->hap, serial, byte() % 4, byte() < 224 ? byte() * 100 : number());
		break;
	case 4:
	case 5:
		ink_file_sync(cpu->hap, serial, INKTAG_SYNC_SEAL, file && byte() < 224 ? file->writes : number());
		break;
	case 6:
		ink_file_sync(cpu->hap, serial, byte() % 4, file && byte() < 224 ? file->ticket : number());
		break;
	case 7:
		ink_file_name(cpu->thread, byte() % 6, address() + byte(), number(), answer);
		break;
	case 8:
		if (byte() < 64)
			ink_object_leave(cpu->hap, serial);
		break;
	case 9:
		ink_files_evict(&g->vm);
		break;
	}
	if (byte() < 192)
		serve();
}

/* A HAP that is in order, where there is room for one. */
static void launch(u32 nr)
{
	fail_allocation(0, 0);
	fail_guest(g, 0, 0);
	if (g->vm.nr_haps < g->vm.limits.haps && g->vm.frames + 16 < g->vm.limits.frames &&
	    g->vm.records + 64 < INK_RECORDS(&g->vm.limits))
		hap_start(g, hap_build(g, ARRAY_GFN, CODE_GFN), nr);
}

static bool is_the_end(enum ink_verdict v)
{
	return v == INK_KILL || v == INK_NOMEM;
}

/* The guest does one thing; on a vCPU that is in a HAP, the HAP does. */
static void guest_step(u32 nr)
{
	struct ink_thread *t;
	struct inktag_start start;
	struct kvm_inktag_violation v;
	struct ink_hap *hap;
	u64 gfn;
	u32 ring;

	switch (byte() % 20) {
	case 0:
		if (byte() < 64)
			ink_hap_create(&g->vm, cr3(), byte(), byte() % (g->vm.last_hap + 2), 0);
		else
			launch(nr);
		break;
	case 1:
		hap = any_hap();
		if (hap && byte() < 32)
			hap_kill(g, hap);
		break;
	case 2:
		hap = any_hap();
		if (hap)
			ink_hap_add(hap, byte() < 250 ? hap->cr3 : cr3(), address(), number(), token(),
				    translate, NULL);
		break;
	case 3:		/* the way that leads further */
		hap = any_hap();
		gfn = GFN_BASE + 8 + INKTAG_DESC_BASE / PAGE % 40;
		k_descriptors(gfn);
		if (hap)
			ink_hap_add(hap, hap->cr3, INKTAG_DESC_BASE, 1, 0, translate, NULL);
		break;
	case 4:
		hap = any_hap();
		start = (struct inktag_start) {
			.entry = address(), .rsp = address(), .stub = address(), .ustack = address(),
			.info = number(),
		};
		if (hap && !ink_hap_start(hap, byte() < 250 ? hap->cr3 : cr3(), &start, &t) &&
		    !ink_thread_start(t))
			enter(nr, t);
		break;
	case 5:
	case 6:
		if (!resume(&t)) {
			enter(nr, t);
			if (t->ret.fault_access) {
				u64 ask_va;
				u32 ask_access;

				ink_ring_drain(&g->vm);
				if (is_the_end(ink_resolve(t->hap, t->ret.fault_va, t->ret.fault_access, &ask_va,
							   &ask_access)))
					hap_kill(g, t->hap);
			}
		}
		break;
	case 7:
		ring = byte() % 4;
		if (byte() < 128 && ring < 3)
			ink_ring_set(&g->vm, ring, ring_gpa(ring), 6);
		else
			ink_ring_set(&g->vm, number(), number() * (byte() & 1 ? PAGE : 1), number());
		break;
	case 8:
		ink_ring_set(&g->vm, byte() % 4, 0, number());
		break;
	case 9:
		ring_entry(byte() % 3);
		ring_entry(byte() % 3);
		break;
	case 10:
		ink_ring_drain(&g->vm);
		break;
	case 11:
		gfn = GFN_BASE + byte();
		if (is_ram(g, gfn))
			k_page(g, gfn)[byte() * 16] ^= byte();
		break;
	case 12:
		gfn = GFN_BASE + byte();
		dev_write(g, gfn, slot_page(g, GFN_BASE + byte()));
		break;
	case 13:
		ink_violation_next(&g->vm, &v);
		break;
	case 14:
	case 15:
		copy();
		break;
	case 16:
		if (!deliver(&t))
			enter(nr, t);
		break;
	case 17:	/* some that were prepared, in address spaces of their own */
		hap = any_hap();
		if (hap && hap->cr3 == INK_NO_CR3 &&
		    !ink_thread_resume(&g->vm, (u64)hap->id << 32 | 1, 0x300000 + (u64)hap->id * PAGE, 1, &t))
			enter(nr, t);
		break;
	case 18:
		ink_before_io(&g->vm, frame(), byte() < 224 ? 1 + byte() % 3 : number(), byte() & 3);
		break;
	case 19:
		serve();
		break;
	}
}

static void hap_step(u32 nr)
{
	struct cpu *cpu = &g->cpu[nr];
	struct ink_thread *t;
	struct access a;
	u64 made;
	u32 access;

	switch (byte() % 16) {
	case 0:
		leave(cpu, INK_SYSCALL);
		break;
	case 1:
		leave(cpu, INK_INTERRUPT);
		break;
	case 2:
		ink_hap_unmap(cpu->hap, address(), number(), number(), number());
		break;
	case 3:
		if (byte() < 16)
			ink_thread_create(cpu->hap, &t);
		break;
	case 4:
		if (byte() < 8)
			hap_kill(g, cpu->hap);
		break;
	case 5:
		hap_clone(g, nr, byte() < 192, &made);
		break;
	case 6:
		if (byte() < 64 && cpu->hap->nr_threads > 1)
			cpu_thread_exit(g, nr);
		break;
	case 7:
		ink_thread_signal_entry(cpu->thread, byte() < 224 ? ENTRY : address(), byte() < 224 ? STACK : number());
		break;
	case 8:
		ink_thread_signal_regs(cpu->thread, address() + (byte() < 224 ? byte() * 8 : number()),
				       byte() < 240 ? byte() % 2 : number());
		break;
	case 9:
		if (cpu->thread->in_signal)
			cpu_signal_return(g, nr);
		break;
	case 10:
		if (byte() < 128)
			ink_object_share(cpu->hap, byte() < 224 ? byte() % 8 : number());
		else
			ink_object_leave(cpu->hap, byte() < 224 ? byte() % 8 : number());
		break;
	case 11:
		file_step(cpu);
		break;
	default:
		access = 1 << byte() % 3;
		a = hap_access(g, nr, address(), access);
		if (a.verdict == INK_MAPPED && access == INK_WRITE) {
			struct ink_spage *s = SPAGE(cpu->hap, 0, 0);

			if (s && a.page == s->frame)	/* the array stays useful */
				((u8 *)a.page)[byte() * 2] ^= byte() & 1;
			else if (!(a.page >= (void *)g->slot && a.page < (void *)g->slot + NR_GFNS * PAGE))
				secret_fill(a.page, byte());
		} else if (a.verdict == INK_ASK || a.verdict == INK_WAIT) {
			cpu->thread->ret.fault_va = a.ask_va;
			cpu->thread->ret.fault_access = a.ask_access;
			leave(cpu, INK_FAULT);
		} else if (a.verdict == INK_LOST) {
			leave(cpu, INK_INTERRUPT);
		} else if (is_the_end(a.verdict)) {
			hap_kill(g, cpu->hap);
		}
	}
}

/* Ended while they were in it: they find out when they leave. */
static void leave_the_ended(void)
{
	u32 nr;

	for (nr = 0; nr < NR_CPUS; nr++)
		if (g->cpu[nr].hap && g->cpu[nr].hap->state == INK_ENDED)
			leave(&g->cpu[nr], INK_INTERRUPT);
}

void hostile_run(const u8 *data, size_t len)
{
	struct kvm_inktag_limits limits = roomy;
	u32 nr, steps = 0;

	bytes = data;
	bytes_end = data + len;
	limits.haps = 4;
	limits.files = 2;
	st = store_new();
	store_add(st, oids[0], 1);
	store_add(st, oids[1], 0);
	limits.frames = 48 + byte();
	g = guest_new(&limits);
	g->next_cr3 = 0x100000;
	launch(0);
	while (bytes < bytes_end) {
		if (byte() < 6)
			fail_allocation(1 + byte() % 8, 1 + byte() % 3);
		if (byte() < 6)
			fail_guest(g, 1 + byte() % 8, 1 + byte() % 3);
		nr = byte() % NR_CPUS;
		if (g->cpu[nr].hap)
			hap_step(nr);
		else
			guest_step(nr);
		leave_the_ended();
		if (byte() < 128) {
			fail_allocation(0, 0);
			fail_guest(g, 0, 0);
		}
		guest_check(g);
		if (++steps % 64 == 0)
			guest_check_secrecy(g);
	}
	fail_allocation(0, 0);
	fail_guest(g, 0, 0);
	guest_free(g);
	store_free(st);
	nothing_leaked();
}
