/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intern.h - texts that many share are kept once: equal bytes give the same object, which counts its users
 *
 * Layer: base. Tests: test_slab.c.
 */
#pragma once
#include "base/slab.h"
#include "base/table.h"

struct interned {
	struct table_node node;
	uint32_t n_refs, len;
	char text[];
};
struct interner {
	struct table table;
	struct slabs *memory;
};

#define INTERNER_INIT(slabs) ((struct interner){ .memory = (slabs) })

/* Counts one more user; NULL when there is no memory. */
MUST_USE struct interned *intern(struct interner *in, struct slice text);
struct interned *intern_ref(struct interned *i);	     /* NULL stays NULL */
void intern_unref(struct interner *in, struct interned **i); /* the last one frees it */
static inline struct slice interned_slice(const struct interned *i)
{
	return i ? (struct slice){ i->text, i->len } : SLICE_EMPTY;
}
void interner_deinit(struct interner *in); /* nothing is interned any more */
