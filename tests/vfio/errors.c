// Requests that must be refused, with which error, and that a refusal changes nothing.
#include "proof.h"

#include <errno.h>
#include <sys/mman.h>

#define SIZE (1ULL << 24)

#define REFUSED(call, expected) \
	do { \
		int error = call; \
		CHECK(error == (expected), "%s gives %s, not %s", #call, error_name(error), error_name(expected)); \
	} while (0)

static void check_no_free_window(const void *unused)
{
	uint64_t first, second;

	(void)unused;
	CHECK(!window_create(container, 12, SIZE, 1, &first), "no window 0");
	CHECK(!window_create(container, 16, SIZE, 2, &second), "no window 1");
	REFUSED(window_create(container, 12, SIZE, 1, NULL), ENOSPC);
	CHECK(!window_remove(container, first), "REMOVE failed");
	CHECK(!window_create(container, 16, SIZE, 1, &first) && first == 0, "the freed window can't be had again");
	REFUSED(window_create(container, 12, SIZE, 1, NULL), ENOSPC);
	pass("a third window gives ENOSPC; a freed one can be had again");
}

static void check_page_shift(const void *unused)
{
	uint64_t sizes = container_info(container).page_sizes;
	unsigned tried = 0;

	(void)unused;
	for (unsigned shift = 0; shift < 63; shift++) {
		if (sizes >> shift & 1)
			continue;
		REFUSED(window_create(container, shift, 1ULL << 40, 1, NULL), EINVAL);
		tried++;
	}
	REFUSED(window_remove(container, 0), EINVAL);
	pass("%u shifts that aren't in pgsizes give EINVAL and make no window", tried);
}

static void check_levels(const void *unused)
{
	(void)unused;
	REFUSED(window_create(container, 12, SIZE, 0, NULL), EINVAL);
	REFUSED(window_create(container, 12, SIZE, 6, NULL), EINVAL);
	REFUSED(window_create(container, 12, SIZE, ~0U, NULL), EINVAL);
	REFUSED(window_remove(container, 0), EINVAL);
	pass("0, 6 and 2^32-1 levels give EINVAL and make no window");
}

static void check_size(const void *unused)
{
	(void)unused;
	REFUSED(window_create(container, 12, SIZE + 4096, 1, NULL), EINVAL);
	REFUSED(window_create(container, 12, 0, 1, NULL), EINVAL);
	REFUSED(window_remove(container, 0), EINVAL);
	pass("no power of two, and 0, give EINVAL and make no window");
}

static void check_remove(const void *unused)
{
	uint64_t start;

	(void)unused;
	REFUSED(window_remove(container, 0), EINVAL);
	REFUSED(window_remove(container, BYPASS), EINVAL);
	CHECK(!window_create(container, 12, SIZE, 1, &start), "no window 0");
	REFUSED(window_remove(container, 1ULL << 40), EINVAL);
	REFUSED(window_remove(container, BYPASS), EINVAL);
	CHECK(!window_remove(container, start), "REMOVE failed");
	REFUSED(window_remove(container, start), EINVAL);
	pass("an unknown window gives EINVAL, and so does a second REMOVE");
}

static void check_map(const void *unused)
{
	struct pool pool;
	// As many entries as fill a page of the table: the kernel rounds smaller windows up to that.
	uint64_t start, page = 1ULL << page_shift(), end = page << (page_shift() - 3);
	unsigned shift = page_shift() < 16 ? 16 : large_page_shift();
	const uint8_t *memory, *stranger = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	// Linux 6.12 undoes a MAP that failed at its first page by invalidating no pages, which for PHB3 counts down from
	// 2^64. Under any firmware.
	if (is_power8())
		skip("the kernel would hang");
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	memory = pool_slot(&pool, 0);
	REFUSED(map(container, 0, memory, page, READ), ENXIO);
	CHECK(!window_create(container, page_shift(), end, 1, &start), "no window 0");
	REFUSED(map(container, end, memory, page, READ), ENXIO);
	REFUSED(map(container, BYPASS, memory, page, READ), ENXIO);
	REFUSED(map(container, 0, memory + page / 2, page, READ), EINVAL);
	REFUSED(map(container, 0, memory, page / 2, READ), EINVAL);
	REFUSED(map(container, 0, stranger, page, READ), EINVAL);
	// A MAP that begins inside and ends outside isn't tried: Linux 6.12 writes behind the table.
	REFUSED(unmap(container, end, page), ENXIO);
	CHECK(!window_remove(container, start), "REMOVE failed");
	// A TCE page must not reach beyond the page of memory that it maps.
	CHECK(!window_create(container, shift, 1ULL << shift << (page_shift() - 3), 1, &start), "no window 0");
	REFUSED(map(container, 0, (void *)(((uintptr_t)memory + (1ULL << shift) - 1) & -(1ULL << shift)), 1ULL << shift,
		    READ),
		EINVAL);
	pass("outside a window, off a page border, unregistered, or larger than the memory's pages");
}

static void check_registration(const void *unused)
{
	struct pool pool;
	uint64_t start, page = 1ULL << page_shift();

	(void)unused;
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	REFUSED(memory_register(container, pool.memory, pool.bytes), EBUSY);
	REFUSED(memory_register(container, pool.memory + 1, page), EINVAL);
	REFUSED(memory_unregister(container, pool.memory, page), ENOENT);
	CHECK(!window_create(container, page_shift(), page << 8, 1, &start), "no window 0");
	CHECK(!map(container, start, pool.memory, page, READ | WRITE), "MAP failed");
	// UNREGISTER while mapped isn't tried: Linux 6.12 lets it succeed, keeps the memory, and warns when the process ends.
	CHECK(!unmap(container, start, page), "UNMAP failed");
	CHECK(!memory_unregister(container, pool.memory, pool.bytes), "UNREGISTER after UNMAP failed");
	if (!is_power8()) // See check_map.
		REFUSED(map(container, start, pool.memory, page, READ), EINVAL);
	CHECK(!memory_register(container, pool.memory, pool.bytes), "REGISTER again failed");
	pass("twice, not on a page border, another size; no MAP after UNREGISTER");
}

void error_cases(void)
{
	run_case(check_no_free_window, NULL, "refuses-third-window");
	run_case(check_page_shift, NULL, "refuses-page-shift");
	run_case(check_levels, NULL, "refuses-levels");
	run_case(check_size, NULL, "refuses-size");
	run_case(check_remove, NULL, "refuses-unknown-window");
	run_case(check_map, NULL, "refuses-map");
	run_case(check_registration, NULL, "refuses-registration");
}
