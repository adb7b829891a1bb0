/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * work.h - a fixed piece of work on a store, for the tests of crashes and faults: each step is one public function, and
 * what it draws at random depends on its number alone, so that the store looks the same after the same steps.
 */
#ifndef STORE_WORK_H
#define STORE_WORK_H

#include "unit.h"

#define WORK_OBJECTS	3

struct work {
	InkTagDbOid oid[WORK_OBJECTS];
	InkTagDbNonces nonces[WORK_OBJECTS];
	uint64_t ticket;
};

unsigned int work_steps(void);

/* 0 or a negated errno, as the function that the step is. */
int work_step(InkTagDb *db, struct work *w, unsigned int step);

/* Makes the store, always the same. */
InkTagDb *work_create(void);
InkTagDb *work_open(InkTagDbError *err);

#endif
