/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * abi.h - the whole InkTag ABI, for hypervisor, guest kernel, shim, QEMU and tests.
 *
 *   error.h       what a hypercall returns
 *   layout.h      fixed virtual addresses inside a HAP, page constants
 *   descriptor.h  one entry of a HAP's protected mapping list
 *   ring.h        page-table reports of the paraverified kernel
 *   hypercall.h   hypercall numbers, registers, stub
 *   stub.h        the stub's numbers
 *   prctl.h       what the shim asks of the paraverified kernel
 *   kvm.h         what QEMU asks of KVM: capability, ioctls
 *
 * Every structure is little-endian, fixed-size, without holes, and has a static
 * assertion on its size and on each offset that two parts rely on. The ABI has one
 * version, INKTAG_ABI_VERSION; parts of different versions refuse each other.
 */
#ifndef INKTAG_ABI_H
#define INKTAG_ABI_H

#include "error.h"
#include "layout.h"
#include "descriptor.h"
#include "ring.h"
#include "stub.h"
#include "hypercall.h"
#include "prctl.h"
#include "kvm.h"

#define INKTAG_ABI_VERSION 4

#endif
