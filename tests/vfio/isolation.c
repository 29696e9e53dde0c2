// While a container has the device, nothing but what is mapped can be reached: not the host's bypass, not physical
// addresses. That the bypass does reach memory when the host has the device is shown in host_side.c.
#include "proof.h"

#include <string.h>

#define PART 1024
#define MIRROR 0

// The device writes to and reads from `bus`; neither may touch the pool or learn the secret.
static void reaches_nothing(struct pool *pool, unsigned secret, uint64_t bus, const char *what)
{
	uint8_t *mirror = pool_slot(pool, MIRROR);

	pool_fill(pool);
	edu_fetch(&edu, 0, PART);
	pool_fill(pool);
	edu_store(&edu, bus, PART);
	CHECK(pool_intact(pool, 0, 0), "a write to %#llx (%s) arrived", (unsigned long long)bus, what);
	edu_fetch(&edu, bus, PART);
	memset(mirror, 0, PART);
	edu_store(&edu, 0, PART);
	CHECK(!pool_seen(pool, secret, mirror, PART), "a read from %#llx (%s) gave the memory's bytes",
	      (unsigned long long)bus, what);
}

// A slot whose physical address, cut to the window's size, isn't the mirror's: there the mirror would answer for it.
static unsigned secret_slot(const struct pool *pool, uint64_t page, uint64_t entries)
{
	for (unsigned slot = MIRROR + 1; slot < pool->slots; slot++) {
		uint64_t at = physical(pool_slot(pool, slot));

		CHECK(at, "the kernel doesn't say where the memory lies");
		if (at / page % entries != 0)
			return slot;
	}
	fail("every slot's address falls on the mirror's entry");
}

static void check_isolation(const void *unused)
{
	struct pool pool;
	uint64_t start, at, page = 1ULL << page_shift(), entries = 1ULL << (page_shift() - 3);
	unsigned secret;

	(void)unused;
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	CHECK(!window_create(container, page_shift(), entries * page, 1, &start) && start == 0, "no window 0");
	CHECK(!map(container, 0, pool_slot(&pool, MIRROR), page, READ | WRITE), "MAP failed");
	secret = secret_slot(&pool, page, entries);
	at = physical(pool_slot(&pool, secret));
	reaches_nothing(&pool, secret, at, "its physical address");
	reaches_nothing(&pool, secret, BYPASS | at, "the host's bypass, window 1 closed");
	reaches_nothing(&pool, secret, 4096 * KIB * KIB | at, "4 GiB and its physical address");
	reaches_nothing(&pool, secret, page, "inside the window, never mapped");
	CHECK(!window_create(container, page_shift(), entries * page, 1, &start) && start == BYPASS, "no window 1");
	reaches_nothing(&pool, secret, BYPASS | at, "the host's bypass, window 1 empty");
	CHECK(!window_remove(container, BYPASS), "REMOVE failed");
	reaches_nothing(&pool, secret, BYPASS | at, "the host's bypass, window 1 closed again");
	pass("neither physical addresses nor the host's bypass, window 1 closed, empty and closed again");
}

void isolation_cases(void)
{
	// First of all: no window 1 has yet taken the place of the host's bypass.
	run_case(check_isolation, NULL, "isolation");
}
