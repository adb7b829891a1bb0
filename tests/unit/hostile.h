/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostile.h - runs a stream of bytes as a sequence of calls into the core. */
#ifndef UNIT_HOSTILE_H
#define UNIT_HOSTILE_H

#include "unit.h"

void hostile_run(const u8 *data, size_t len);

#endif
