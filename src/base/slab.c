/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.c - see slab.h
 *
 * Slabs are cut from large mappings and aligned to their size, so that an object's slab is found by masking
 * its address. Mappings stay; the memory of an empty slab goes back to the kernel and its place is used by
 * the next slab of any size. The sanitizer is told what is in use, as it cannot know otherwise.
 */
#include "base/slab.h"
#include <sys/mman.h>
#if defined(__SANITIZE_ADDRESS__)
#define SLAB_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_POISONS 1
#endif
#endif
#ifdef SLAB_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define SLAB_BYTES ((size_t)64 * 1024)
#define SLABS_PER_MAPPING 64
#define MAPPING_BYTES ((SLABS_PER_MAPPING + 1) * SLAB_BYTES) /* one more, for the alignment */

struct slab {
	struct list node;		     /* in with_room; in none while it is full */
	void *free;			     /* objects that were used before, each holds the next */
	uint32_t size, n_used, n_cut, n_max; /* n_cut: objects that were ever used */
};
#define SLAB_FIRST 64 /* offset of the first object */
static_assert(sizeof(struct slab) <= SLAB_FIRST, "objects begin behind the slab's own fields");

static struct slab *slab_of(void *object)
{
	char *at = object;

	return (struct slab *)(void *)(at - ((uintptr_t)object & (SLAB_BYTES - 1)));
}

static void *object_at(struct slab *slab, uint32_t i)
{
	return (char *)slab + SLAB_FIRST + (size_t)i * slab->size;
}

void slabs_init(struct slabs *s, size_t max_bytes)
{
	*s = (struct slabs){ .max_bytes = max_bytes };
	for (size_t i = 0; i < ARRAY_LEN(s->with_room); i++)
		list_init(&s->with_room[i]);
}

static void pointers_grow(void ***at, size_t n, size_t cap)
{
	void **grown = mem_new_array(cap, sizeof(*grown));

	if (n)
		memcpy(grown, *at, n * sizeof(*grown));
	mem_free(*at);
	*at = grown;
}

/* Room in s->empty for all there are is made here, so that giving one back needs no memory. */
static bool slabs_map(struct slabs *s)
{
	char *at = mmap(NULL, MAPPING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return false;
	pointers_grow(&s->empty, s->n_empty, s->n_mapped + SLABS_PER_MAPPING);
	pointers_grow(&s->mappings, s->n_mappings, s->n_mappings + 1);
	s->mappings[s->n_mappings++] = at;
	s->n_mapped += SLABS_PER_MAPPING;
	at += -(uintptr_t)at & (SLAB_BYTES - 1);
	for (size_t i = SLABS_PER_MAPPING; i-- > 0;) /* the first is used first */
		s->empty[s->n_empty++] = at + i * SLAB_BYTES;
	return true;
}

void slabs_deinit(struct slabs *s)
{
	for (size_t i = 0; i < s->n_mappings; i++) {
		ASAN_UNPOISON_MEMORY_REGION(s->mappings[i], MAPPING_BYTES);
		(void)munmap(s->mappings[i], MAPPING_BYTES); /* ours, as mapped: cannot fail */
	}
	mem_free(s->mappings);
	mem_free(s->empty);
	slabs_init(s, 0);
}

static struct slab *slab_begin(struct slabs *s, size_t size)
{
	struct slab *slab;

	if (s->bytes + SLAB_BYTES > s->max_bytes || (s->n_empty == 0 && !slabs_map(s)))
		return NULL;
	slab = s->empty[--s->n_empty];
	*slab = (struct slab){ .size = (uint32_t)size,
		.n_max = (uint32_t)((SLAB_BYTES - SLAB_FIRST) / size) };
	ASAN_POISON_MEMORY_REGION((char *)slab + SLAB_FIRST, SLAB_BYTES - SLAB_FIRST);
	list_push_front(&s->with_room[size / SLAB_STEP], &slab->node);
	s->bytes += SLAB_BYTES;
	return slab;
}

static void slab_end(struct slabs *s, struct slab *slab)
{
	list_remove(&slab->node);
	ASAN_UNPOISON_MEMORY_REGION(slab, SLAB_BYTES);
	CHECK(madvise(slab, SLAB_BYTES, MADV_DONTNEED) == 0);
	s->empty[s->n_empty++] = slab;
	s->bytes -= SLAB_BYTES;
}

/* The only one that has room is kept: it will be wanted again soon. */
static bool slab_is_last(const struct slabs *s, const struct slab *slab)
{
	const struct list *with_room = &s->with_room[slab->size / SLAB_STEP];

	return with_room->next == &slab->node && with_room->prev == &slab->node;
}

static size_t object_size(size_t size)
{
	return size ? (size + SLAB_STEP - 1) / SLAB_STEP * SLAB_STEP : SLAB_STEP;
}

static void *large_new(struct slabs *s, size_t size)
{
	void *object = size <= s->max_bytes && s->bytes <= s->max_bytes - size ? calloc(1, size) : NULL;

	s->bytes += object ? size : 0;
	return object;
}

static void *object_take(struct slab *slab)
{
	void *object = slab->free;

	if (!object) {
		object = object_at(slab, slab->n_cut++);
		ASAN_UNPOISON_MEMORY_REGION(object, slab->size);
		return object; /* as the kernel gave it: zero */
	}
	ASAN_UNPOISON_MEMORY_REGION(object, slab->size);
	memcpy(&slab->free, object, sizeof(slab->free));
	return memset(object, 0, slab->size);
}

void *slab_new(struct slabs *s, size_t size)
{
	struct slab *slab;
	void *object;

	if (size > SLAB_OBJECT_MAX)
		return large_new(s, size);
	size = object_size(size);
	slab = list_first(&s->with_room[size / SLAB_STEP], struct slab, node);
	if (!slab)
		slab = slab_begin(s, size);
	if (!slab)
		return NULL;
	object = object_take(slab);
	if (++slab->n_used == slab->n_max)
		list_remove(&slab->node);
	return object;
}

void slab_free(struct slabs *s, void *object, size_t size)
{
	struct slab *slab;

	if (!object)
		return;
	if (size > SLAB_OBJECT_MAX) {
		s->bytes -= size;
		mem_free(object);
		return;
	}
	slab = slab_of(object);
	CHECK(slab->size == object_size(size));
	memcpy(object, &slab->free, sizeof(slab->free));
	slab->free = object;
	ASAN_POISON_MEMORY_REGION(object, slab->size);
	if (slab->n_used-- == slab->n_max)
		list_push_front(&s->with_room[slab->size / SLAB_STEP], &slab->node);
	if (slab->n_used == 0 && !slab_is_last(s, slab))
		slab_end(s, slab);
}
