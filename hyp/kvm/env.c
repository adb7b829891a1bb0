// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * env.c - env.h inside KVM: host memory, maps, guest memory, the TLBs of the trusted contexts.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "mmu.h"
#include "mmu/tdp_mmu.h"
#include "glue.h"

static atomic_long_t frames_in_use;

static int get_frames_in_use(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&frames_in_use));
}

static const struct kernel_param_ops frames_in_use_ops = { .get = get_frames_in_use };
module_param_cb(inktag_frames_in_use, &frames_in_use_ops, NULL, 0444);
MODULE_PARM_DESC(inktag_frames_in_use,
		 "InkTag: host pages that VMs have now: private frames, page tables, pinned slot pages");

static atomic_long_t objects_in_use;

static int get_objects_in_use(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&objects_in_use));
}

static const struct kernel_param_ops objects_in_use_ops = { .get = get_objects_in_use };
module_param_cb(inktag_objects_in_use, &objects_in_use_ops, NULL, 0444);
MODULE_PARM_DESC(inktag_objects_in_use,
		 "InkTag: what else VMs have now: records of processes, threads, pages, vCPUs, registers");

void kvm_inktag_count_object(int n)
{
	atomic_long_add(n, &objects_in_use);
}
EXPORT_SYMBOL_GPL(kvm_inktag_count_object);

static bool inktag_debug;
module_param(inktag_debug, bool, 0644);
MODULE_PARM_DESC(inktag_debug, "InkTag: check the hypervisor's invariants as it runs (slow)");

/* --- memory of the host -------------------------------------------------------------------- */

void *ink_zalloc(size_t size)
{
	void *p = kzalloc(size, GFP_KERNEL_ACCOUNT);

	kvm_inktag_count_object(!!p);
	return p;
}

void ink_free(void *p)
{
	kvm_inktag_count_object(-!!p);
	kfree(p);
}

void *ink_page_alloc(void)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!page)
		return NULL;
	atomic_long_inc(&frames_in_use);
	return page_address(page);
}

void ink_page_free(void *page)
{
	free_page((unsigned long)page);
	atomic_long_dec(&frames_in_use);
}

u64 ink_page_pa(const void *page)
{
	return __sme_pa(page);
}

void *ink_page_va(u64 pa)
{
	return __va(__sme_clr(pa));
}

/* --- maps ------------------------------------------------------------------------------------ */

void ink_map_init(struct ink_map *map)
{
	xa_init_flags(&map->xa, XA_FLAGS_ACCOUNT);
}

void ink_map_destroy(struct ink_map *map)
{
	xa_destroy(&map->xa);
}

void *ink_map_get(struct ink_map *map, u64 key)
{
	return xa_load(&map->xa, key);
}

int ink_map_set(struct ink_map *map, u64 key, void *p)
{
	return xa_err(xa_store(&map->xa, key, p, GFP_KERNEL));
}

void ink_map_del(struct ink_map *map, u64 key)
{
	xa_erase(&map->xa, key);
}

void *ink_map_next(struct ink_map *map, u64 *key, u64 last)
{
	unsigned long index = *key;
	void *p = xa_find(&map->xa, &index, last, XA_PRESENT);

	if (p)
		*key = index;
	return p;
}

/* --- guest memory: address space 0 (not SMM's). Called with kvm->srcu held, or taking it ----------- */

int ink_guest_read(struct ink_vm *vm, u64 gpa, void *buf, size_t len)
{
	struct kvm *kvm = to_inktag(vm)->kvm;

	guard(srcu)(&kvm->srcu);
	return kvm_read_guest(kvm, gpa, buf, len) ? -EFAULT : 0;
}

int ink_guest_write(struct ink_vm *vm, u64 gpa, const void *buf, size_t len)
{
	struct kvm *kvm = to_inktag(vm)->kvm;

	guard(srcu)(&kvm->srcu);
	return kvm_write_guest(kvm, gpa, buf, len) ? -EFAULT : 0;
}

/* Of a writable memory slot of the VMM's; KVM's own slots are not the guest's memory. */
static unsigned long ram_hva(struct kvm *kvm, u64 gfn)
{
	struct kvm_memory_slot *slot = gfn_to_memslot(kvm, gfn);

	return kvm_is_visible_memslot(slot) ? gfn_to_hva_memslot(slot, gfn) : KVM_HVA_ERR_BAD;
}

bool ink_guest_has(struct ink_vm *vm, u64 gfn)
{
	struct kvm *kvm = to_inktag(vm)->kvm;

	guard(srcu)(&kvm->srcu);
	return !kvm_is_error_hva(ram_hva(kvm, gfn));
}

int ink_guest_pin(struct ink_vm *vm, u64 gfn, u64 *pa)
{
	struct kvm *kvm = to_inktag(vm)->kvm;
	struct page *page;
	unsigned long hva;
	int r;

	guard(srcu)(&kvm->srcu);
	hva = ram_hva(kvm, gfn);
	if (kvm_is_error_hva(hva))
		return -EFAULT;
	r = pin_user_pages_fast(hva, 1, FOLL_WRITE | FOLL_LONGTERM, &page);
	if (r != 1)
		return r < 0 ? r : -ENOMEM;
	atomic_long_inc(&frames_in_use);
	*pa = __sme_set(page_to_phys(page));
	return 0;
}

void ink_guest_unpin(struct ink_vm *vm, u64 pa)
{
	struct page *page = pfn_to_page(__sme_clr(pa) >> PAGE_SHIFT);

	unpin_user_pages_dirty_lock(&page, 1, true);
	atomic_long_dec(&frames_in_use);
}

void ink_guest_zap(struct ink_vm *vm, u64 gfn)
{
	struct kvm *kvm = to_inktag(vm)->kvm;
	struct kvm_memory_slot *slot;

	guard(srcu)(&kvm->srcu);
	/*
	 * Split a huge leaf first, so that the frames beside this one stay mapped. If it cannot be
	 * split (no memory), the zap takes it away whole, and they fault in again one by one. The
	 * VMM may have removed the slot just now.
	 */
	slot = gfn_to_memslot(kvm, gfn);
	if (tdp_mmu_enabled && slot) {
		write_lock(&kvm->mmu_lock);
		kvm_tdp_mmu_try_split_huge_pages(kvm, slot, gfn, gfn + 1, PG_LEVEL_4K, false);
		write_unlock(&kvm->mmu_lock);
	}
	kvm_zap_gfn_range(kvm, gfn, gfn + 1);
}

bool __kvm_inktag_is_held(struct kvm *kvm, gfn_t gfn, u64 count)
{
	return ink_gfn_is_held(&kvm->arch.inktag->vm, gfn, count);
}

void __kvm_inktag_touch(struct kvm *kvm, gfn_t gfn)
{
	ink_gfn_touch(kvm_inktag_lock(kvm), gfn);
	kvm_inktag_unlock(kvm);
}

/* --- TLBs: each vCPU records, at each entry, which HAP and generation its own may hold ------------- */

static bool runs(struct kvm_vcpu *vcpu, struct ink_hap *hap)
{
	struct ink_thread *t = READ_ONCE(vcpu->arch.inktag.thread);

	return t && t->hap == hap;
}

void ink_tlb_flush(struct ink_hap *hap)
{
	struct kvm *kvm = to_inktag(hap->vm)->kvm;
	DECLARE_BITMAP(others, KVM_MAX_VCPUS) = {};
	struct kvm_vcpu *vcpu;
	unsigned long i;

	/*
	 * The calling vCPU is not in guest mode, and looks at the generation before it is again; so
	 * does each vCPU that enters hap's trusted context later.
	 */
	kvm_for_each_vcpu(i, vcpu, kvm)
		if (runs(vcpu, hap) && vcpu != kvm_get_running_vcpu())
			__set_bit(i, others);
	if (!bitmap_empty(others, KVM_MAX_VCPUS))
		kvm_make_vcpus_request_mask(kvm, KVM_REQ_INKTAG, others);
}

/* In guest mode with translations of an older generation, and not on its way out. */
static bool is_stale(struct kvm_vcpu *vcpu, struct ink_hap *hap)
{
	return runs(vcpu, hap) && READ_ONCE(vcpu->mode) == IN_GUEST_MODE &&
	       !kvm_test_request(KVM_REQ_INKTAG, vcpu) &&
	       READ_ONCE(vcpu->arch.inktag.tlb_gen) != hap->tlb_gen;
}

void ink_tlb_assert_flushed(struct ink_hap *hap)
{
	struct kvm *kvm = to_inktag(hap->vm)->kvm;
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int tries;

	if (!READ_ONCE(inktag_debug))
		return;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		/* It may be just about to see its request: that passes. */
		for (tries = 1000; tries && is_stale(vcpu, hap); tries--)
			cpu_relax();
		WARN(!tries, "inktag: vCPU %d may use translations that were removed\n",
		     vcpu->vcpu_id);
	}
}

/* --- the rest ---------------------------------------------------------------------------------- */

u64 ink_now(void)
{
	return ktime_get_real_ns();
}

void ink_relax(void)
{
	cond_resched();
}
