# SPDX-License-Identifier: GPL-2.0-or-later
"""damage.py PROGRAM DIR: copies of an ELF program, each damaged in one way; the name says how."""
import os
import struct
import sys

program, out = sys.argv[1:]
elf = open(program, "rb").read()
os.makedirs(out)

PHOFF = struct.unpack_from("<Q", elf, 32)[0]
PHSIZE, PHNUM = struct.unpack_from("<HH", elf, 54)
TYPE_LOAD, TYPE_NOTE = 1, 4
P_TYPE, P_FLAGS, P_OFFSET, P_VADDR, P_FILESZ, P_MEMSZ = 0, 4, 8, 16, 32, 40


def headers(kind):
    return [PHOFF + i * PHSIZE for i in range(PHNUM)
            if struct.unpack_from("<I", elf, PHOFF + i * PHSIZE)[0] == kind]


def write(name, data):
    path = os.path.join(out, name)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, 0o755)


def patched(name, *changes):
    data = bytearray(elf)
    for offset, form, value in changes:
        struct.pack_into("<" + form, data, offset, value)
    write(name, bytes(data))


load = headers(TYPE_LOAD)
first, last = load[0], load[-1]
write("empty", b"")
write("text", b"#!/bin/nothing of this kind\n" * 10)
loaded = max(sum(struct.unpack_from("<Q", elf, h + f)[0] for f in (P_OFFSET, P_FILESZ)) for h in headers(TYPE_LOAD))
for size in (3, 40, 64, PHOFF + PHSIZE, loaded // 2, loaded - 1):
    write("cut-at-%d" % size, elf[:size])
patched("class-32", (4, "B", 1))
patched("big-endian", (5, "B", 2))
patched("machine", (18, "H", 40))
patched("type-rel", (16, "H", 1))
patched("type-dyn", (16, "H", 3))
patched("phoff-beyond", (32, "Q", len(elf) + 4096))
patched("phoff-wraps", (32, "Q", 2**64 - 64))
patched("phnum-many", (56, "H", 0xffff))
patched("phnum-none", (56, "H", 0))
patched("phentsize", (54, "H", 8))
patched("entry-nowhere", (24, "Q", 0x1234567000))
patched("entry-kernel", (24, "Q", 0xffffffff81000000))
patched("vaddr-zero", (first + P_VADDR, "Q", 0))
patched("vaddr-kernel", (last + P_VADDR, "Q", 0xffff800000000000))
patched("vaddr-array", (last + P_VADDR, "Q", 0x600000000000))
patched("vaddr-arena", (last + P_VADDR, "Q", 0x610000000000))
patched("vaddr-stack", (last + P_VADDR, "Q", 0x640000000000 - 0x800000))
patched("vaddr-wraps", (last + P_VADDR, "Q", 2**64 - 4096))
patched("vaddr-overlap", (last + P_VADDR, "Q", struct.unpack_from("<Q", elf, first + P_VADDR)[0]
                          + struct.unpack_from("<Q", elf, last + P_OFFSET)[0] % 4096))
patched("offset-beyond", (first + P_OFFSET, "Q", 2**62))
patched("filesz-above-memsz", (first + P_FILESZ, "Q", 2**20), (first + P_MEMSZ, "Q", 4096))
patched("filesz-beyond", (last + P_FILESZ, "Q", 2**40), (last + P_MEMSZ, "Q", 2**40))
patched("memsz-beyond", (last + P_MEMSZ, "Q", 0x600000000000))
patched("memsz-wraps", (last + P_MEMSZ, "Q", 2**64 - 1))
patched("no-load", *[(h + P_TYPE, "I", 0) for h in load])
patched("no-note", *[(h + P_TYPE, "I", 0) for h in headers(TYPE_NOTE)])
patched("write-and-exec", *[(h + P_FLAGS, "I", 7) for h in load])
