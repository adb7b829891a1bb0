# SPDX-License-Identifier: GPL-2.0-or-later
"""Text from the file given, 400 KiB of it, with a numbered secret every 2 KiB."""
import sys

text = open(sys.argv[1], "rb").read(400 << 10)
for i, at in enumerate(range(0, len(text), 2048)):
    # No run of four equal bytes may stand at its edge: bzip2 keeps such runs in another form.
    secret = bytes(b ^ 0x5a for b in bytes.fromhex("1334310e3b3d7729 3f39283f2e777979"))
    sys.stdout.buffer.write(b"\n<" + secret + b"%04d>\n" % i + text[at:at + 2048])
