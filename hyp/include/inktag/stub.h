/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/* stub.h - numbers of the stub (hypercall.h says what they mean), for assembly too. */
#ifndef INKTAG_STUB_H
#define INKTAG_STUB_H

#define INKTAG_RESUME_MAGIC	0x656d757365524b49
#define INKTAG_SIGNAL_MAGIC	0x6c616e6769534b49

/* Lengths of the first two instructions, and where the others begin. */
#define INKTAG_STUB_SYSCALL_LEN	2
#define INKTAG_STUB_RESUME_LEN	3
#define INKTAG_STUB_CLONE	0x80
#define INKTAG_STUB_SIGRETURN	0xa0
#define INKTAG_STUB_SIGNAL	0xc0

#endif
