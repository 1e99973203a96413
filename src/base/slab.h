/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.h - small objects by the million: no header each, apart from the heap, given back when a slab is empty
 *
 * A slab holds objects of one size (a multiple of 8) in pages of its own, so that what lives long does not
 * lie between what comes and goes. Whoever frees an object knows its size. Objects larger than
 * SLAB_OBJECT_MAX are the heap's. Running out is NULL, never an abort. Layer: base. Tests: test_slab.c.
 */
#pragma once
#include "base/list.h"

#define SLAB_OBJECT_MAX 1024
#define SLAB_STEP 8

struct slabs {
	struct list with_room[SLAB_OBJECT_MAX / SLAB_STEP + 1]; /* by size, those that can give an object */
	void **empty;						/* slabs without memory: address space only */
	size_t n_empty, n_mapped; /* n_mapped: slabs there is address space for */
	void **mappings;
	size_t n_mappings;
	size_t bytes; /* of slabs in use and of larger objects */
	size_t max_bytes;
};

void slabs_init(struct slabs *s, size_t max_bytes);
void slabs_deinit(struct slabs *s);			    /* every object has been freed */
MUST_USE void *slab_new(struct slabs *s, size_t size);	    /* zeroed */
void slab_free(struct slabs *s, void *object, size_t size); /* the size it was made with; NULL does nothing */
