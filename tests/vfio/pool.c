// Memory for transfers: slots of one TCE page each, filled with a pattern that differs at each place and each filling,
// so that a byte which arrives where it shouldn't is seen.
#include "proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

// Slots up to this size are filled and compared whole, larger ones at both ends only: no transfer goes elsewhere.
#define WHOLE (64 * KIB)
#define END (8 * KIB)
#define MOST_SLOTS 32

struct backing {
	unsigned shift;
	unsigned pages;
};

// What larger TCE pages can be mapped to, beside the kernel's own pages. 16M exists without radix translation.
static const struct backing HUGE[] = { { 21, 3 }, { 24, 2 }, { 30, 1 } };

static bool reserve(const struct backing *backing)
{
	char path[96], text[32];
	unsigned long long kib = (1ULL << backing->shift) / KIB;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages", kib);
	if (!read_text(path, text, sizeof(text)))
		return false;
	if (strtoul(text, NULL, 10) < backing->pages) {
		snprintf(text, sizeof(text), "%u", backing->pages);
		write_text(path, text);
		read_text(path, text, sizeof(text));
	}
	return strtoul(text, NULL, 10) >= backing->pages;
}

static bool allocate(struct pool *pool, unsigned shift, unsigned pages, int flags)
{
	pool->backing = shift;
	pool->bytes = (uint64_t)pages << shift;
	pool->memory = mmap(NULL, pool->bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);
	return pool->memory != MAP_FAILED;
}

// Memory that a TCE of this size can map: VFIO wants it to lie in a page at least as large. False if there is none.
// The same memory serves later calls of a process.
bool pool_for(struct pool *pool, unsigned shift)
{
	static struct pool known[4];
	struct pool *found = NULL;

	if (!known[0].memory && !allocate(&known[0], page_shift(), MOST_SLOTS, 0))
		return false;
	if (known[0].backing >= shift)
		found = &known[0];
	for (unsigned i = 0; !found && i < 3; i++) {
		if (HUGE[i].shift < shift)
			continue;
		if (known[i + 1].memory || (reserve(&HUGE[i]) && allocate(&known[i + 1], HUGE[i].shift, HUGE[i].pages,
									      MAP_HUGETLB | HUGE[i].shift << MAP_HUGE_SHIFT)))
			found = &known[i + 1];
		else
			known[i + 1].memory = NULL;
	}
	if (!found)
		return false;
	*pool = *found;
	pool->shift = shift;
	pool->slots = pool->bytes >> shift;
	if (pool->slots > MOST_SLOTS)
		pool->slots = MOST_SLOTS;
	return true;
}

uint8_t *pool_slot(const struct pool *pool, unsigned slot)
{
	return pool->memory + ((uint64_t)slot << pool->shift);
}

// A slot whose neighbours in the machine's memory are slots too: there a transfer that goes too far is seen. Where
// the kernel gave no such pages it is the first slot.
unsigned pool_slot_between_neighbours(const struct pool *pool)
{
	uint64_t at[MOST_SLOTS], size = 1ULL << pool->shift;

	for (unsigned i = 0; i < pool->slots; i++)
		at[i] = physical(pool_slot(pool, i));
	for (unsigned i = 0; i < pool->slots; i++) {
		bool before = false, after = false;

		for (unsigned other = 0; other < pool->slots; other++) {
			before |= at[other] + size == at[i];
			after |= at[i] + size == at[other];
		}
		if (before && after)
			return i;
	}
	return 0;
}

static uint64_t word(uint64_t seed, uint64_t offset)
{
	uint64_t x = (seed << 40) + offset / 8 + 1;

	x *= 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return x ^ x >> 32;
}

// The next part of a slot that is filled and compared: from *at, to the end that is returned; 0 after the last.
static uint64_t next_area(const struct pool *pool, uint64_t *at, uint64_t end)
{
	uint64_t size = 1ULL << pool->shift, all = (uint64_t)pool->slots << pool->shift;

	*at = end;
	if (size <= WHOLE)
		return end < all ? all : 0;
	if (end % size == END)
		*at = end - END + size - END;
	return *at < all ? *at + END : 0;
}

void pool_fill(struct pool *pool)
{
	static uint64_t seed;
	uint64_t at, end = 0;

	pool->seed = ++seed;
	while ((end = next_area(pool, &at, end)))
		for (; at < end; at += 8)
			*(uint64_t *)(pool->memory + at) = word(pool->seed, at);
}

// Does everything still hold its pattern, but for these bytes?
bool pool_intact(const struct pool *pool, uint64_t but_from, uint64_t but_bytes)
{
	uint64_t at, end = 0;

	while ((end = next_area(pool, &at, end)))
		for (; at < end; at += 8)
			if (at - but_from >= but_bytes && *(volatile uint64_t *)(pool->memory + at) != word(pool->seed, at))
				return false;
	return true;
}

// Does the memory at `to` hold what the last filling put at `from`?
bool pool_moved(const struct pool *pool, uint64_t from, uint64_t to, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += 8)
		if (*(volatile uint64_t *)(pool->memory + to + i) != word(pool->seed, from + i))
			return false;
	return true;
}

// Is any word of a slot's pattern among these bytes?
bool pool_seen(const struct pool *pool, unsigned secret, const void *where, uint64_t bytes)
{
	uint64_t base = (uint64_t)secret << pool->shift;

	for (uint64_t i = 0; i < bytes; i += 8)
		for (uint64_t j = 0; j < EDU_BUFFER; j += 8)
			if (((const volatile uint64_t *)where)[i / 8] == word(pool->seed, base + j))
				return true;
	return false;
}
