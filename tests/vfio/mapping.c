// What a mapping allows: directions, runs of pages, replacement, both windows at once.
#include "proof.h"

#include <errno.h>
#include <string.h>

#define PART 1024
// Slots of the pool. The device's buffer comes in and goes out by the mirror, which stays mapped both ways.
enum { MIRROR, SUBJECT, OTHER };

struct setting {
	struct pool pool;
	uint64_t start, page;
};

// A window of the kernel's page size with the mirror mapped at its start.
static struct setting set_up(unsigned levels)
{
	struct setting s;
	int error;

	CHECK(pool_for(&s.pool, page_shift()), "no memory");
	register_pool(&s.pool);
	s.page = 1ULL << page_shift();
	// Wide enough that a run can cross from one lowest table into the next.
	error = window_create(container, page_shift(), s.page << (page_shift() - 1), levels, &s.start);
	CHECK(!error, "CREATE: %s", error_name(error));
	error = map(container, s.start, pool_slot(&s.pool, MIRROR), s.page, READ | WRITE);
	CHECK(!error, "MAP: %s", error_name(error));
	pool_fill(&s.pool);
	return s;
}

// Did the device see a slot? Its buffer is loaded with other bytes, then it reads at `bus`, then the buffer is written
// out through the mirror.
static bool device_sees(struct setting *s, uint64_t bus, unsigned slot)
{
	uint8_t *mirror = pool_slot(&s->pool, MIRROR);

	edu_fetch(&edu, s->start, PART);
	edu_fetch(&edu, bus, PART);
	memset(mirror, 0, PART);
	edu_store(&edu, s->start, PART);
	return pool_seen(&s->pool, slot, mirror, PART);
}

static bool device_writes(struct setting *s, uint64_t bus, unsigned slot)
{
	uint64_t base = slot * s->page;

	pool_fill(&s->pool);
	edu_fetch(&edu, s->start, PART);
	edu_store(&edu, bus, PART);
	if (pool_moved(&s->pool, 0, base, PART)) {
		CHECK(pool_intact(&s->pool, base, PART), "other bytes changed");
		return true;
	}
	CHECK(pool_intact(&s->pool, 0, 0), "bytes changed that weren't addressed");
	return false;
}

static void check_permissions(const void *unused)
{
	struct setting s = set_up(1);
	uint64_t bus = s.start + 5 * s.page;
	const uint8_t *subject = pool_slot(&s.pool, SUBJECT);

	(void)unused;
	CHECK(!map(container, bus, subject, s.page, READ | WRITE), "MAP failed");
	CHECK(device_sees(&s, bus, SUBJECT) && device_writes(&s, bus, SUBJECT), "a page for both is not for both");
	CHECK(!unmap(container, bus, s.page) && !map(container, bus, subject, s.page, READ), "MAP READ failed");
	pool_fill(&s.pool);
	CHECK(device_sees(&s, bus, SUBJECT), "the device can't read a page for reading");
	CHECK(!device_writes(&s, bus, SUBJECT), "the device can write a page for reading");
	CHECK(!unmap(container, bus, s.page) && !map(container, bus, subject, s.page, WRITE), "MAP WRITE failed");
	// Linux on powernv sets the read bit of each TCE that has the write bit, so reading isn't refused here.
	CHECK(device_writes(&s, bus, SUBJECT), "the device can't write a page for writing");
	pass("a page for reading can't be written; WRITE and both let through what they say");
}

static void check_no_reading_after(const void *unused)
{
	struct setting s = set_up(1);
	uint64_t bus = s.start + 7 * s.page;

	(void)unused;
	CHECK(!device_sees(&s, bus, SUBJECT), "the device reads what isn't mapped");
	CHECK(!map(container, bus, pool_slot(&s.pool, SUBJECT), s.page, READ | WRITE), "MAP failed");
	pool_fill(&s.pool);
	CHECK(device_sees(&s, bus, SUBJECT), "the device can't read what is mapped");
	CHECK(!unmap(container, bus, s.page), "UNMAP failed");
	pool_fill(&s.pool);
	CHECK(!device_sees(&s, bus, SUBJECT), "the device reads after UNMAP");
	CHECK(!map(container, bus, pool_slot(&s.pool, SUBJECT), s.page, READ | WRITE), "MAP failed");
	// A transfer in a closed window, seen through a window that is made anew.
	CHECK(!window_remove(container, s.start), "REMOVE failed");
	edu_fetch(&edu, bus, PART);
	CHECK(!window_create(container, page_shift(), s.page << 4, 1, &s.start), "CREATE failed");
	CHECK(!map(container, s.start, pool_slot(&s.pool, MIRROR), s.page, READ | WRITE), "MAP failed");
	memset(pool_slot(&s.pool, MIRROR), 0, PART);
	edu_store(&edu, s.start, PART);
	CHECK(!pool_seen(&s.pool, SUBJECT, pool_slot(&s.pool, MIRROR), PART), "the device reads after REMOVE");
	pass("not before MAP, not after UNMAP, not after REMOVE");
}

// One MAP of many pages, across the border of two lowest tables: each entry leads to its own page.
static void check_run(const void *unused)
{
	struct setting s = set_up(2);
	unsigned per_table = 1U << (page_shift() - 3), count = 16;
	uint64_t bus = s.start + (per_table - count / 2) * s.page;
	static const unsigned looked_at[] = { 0, 7, 8, 15 };
	int error = map(container, bus, pool_slot(&s.pool, OTHER), count * s.page, READ | WRITE);

	(void)unused;
	CHECK(!error, "MAP: %s", error_name(error));
	for (int i = 0; i < 4; i++)
		CHECK(device_writes(&s, bus + looked_at[i] * s.page, OTHER + looked_at[i]), "page %u of the run is elsewhere",
		      looked_at[i]);
	CHECK(!unmap(container, bus, count / 2 * s.page), "UNMAP failed");
	CHECK(!device_writes(&s, bus + 7 * s.page, OTHER + 7), "the unmapped half is still mapped");
	CHECK(device_writes(&s, bus + 8 * s.page, OTHER + 8), "the mapped half went with the unmapped one");
	pass("%u pages in one MAP across two tables; UNMAP of half leaves the other half", count);
}

static void check_replacement(const void *unused)
{
	struct setting s = set_up(1);
	uint64_t bus = s.start + 3 * s.page;

	(void)unused;
	CHECK(!map(container, bus, pool_slot(&s.pool, SUBJECT), s.page, READ | WRITE), "MAP failed");
	CHECK(device_writes(&s, bus, SUBJECT), "the first mapping doesn't work");
	CHECK(!map(container, bus, pool_slot(&s.pool, OTHER), s.page, READ | WRITE), "MAP over a mapping failed");
	CHECK(device_writes(&s, bus, OTHER), "the old mapping is still in use");
	pass("a second MAP takes the first one's place at once");
}

// Both windows, with different page sizes where the memory allows it; closing one leaves the other.
static void check_both_windows(const void *unused)
{
	struct setting s = set_up(2);
	uint64_t second, bus;
	unsigned shift = page_shift() > 12 ? 12 : page_shift();

	(void)unused;
	CHECK(s.start == 0, "the first window isn't window 0");
	CHECK(!window_create(container, shift, 1ULL << 28, 1, &second) && second == BYPASS, "no window 1");
	bus = second + (1ULL << 27);
	CHECK(!device_writes(&s, bus, SUBJECT), "window 1 has a mapping of window 0");
	CHECK(!map(container, bus, pool_slot(&s.pool, SUBJECT), s.page, READ | WRITE), "MAP in window 1 failed");
	CHECK(device_writes(&s, bus, SUBJECT), "window 1 doesn't lead to its page");
	CHECK(!device_writes(&s, bus - BYPASS, SUBJECT), "window 0 has a mapping of window 1");
	CHECK(!window_remove(container, second), "REMOVE of window 1 failed");
	CHECK(!device_writes(&s, bus, SUBJECT), "window 1 is still open");
	CHECK(device_writes(&s, s.start, MIRROR), "window 0 went with window 1");
	CHECK(!window_create(container, shift, 1ULL << 28, 1, &second) && second == BYPASS, "no window 1 again");
	CHECK(!device_writes(&s, bus, SUBJECT), "a new window 1 has mappings of the old one");
	pass("side by side; closing window 1 leaves window 0; a new window is empty");
}

void mapping_cases(void)
{
	run_case(check_permissions, NULL, "permissions");
	run_case(check_no_reading_after, NULL, "no-stale-reading");
	run_case(check_run, NULL, "run-of-pages");
	run_case(check_replacement, NULL, "replacement");
	run_case(check_both_windows, NULL, "both-windows");
}
