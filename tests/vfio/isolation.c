// While a container has the device, nothing but what is mapped can be reached: not the host's bypass, not physical
// addresses. That the bypass does reach memory when the host has the device is shown in host_side.c.
#include "proof.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PART 1024
#define PIPES 8
#define PIPE_PAGES 64U
enum { MIRROR, SECRET };

// The device writes to and reads from `bus`; neither may touch the pool or learn the secret.
static void reaches_nothing(struct pool *pool, uint64_t bus, const char *what)
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
	CHECK(!pool_seen(pool, SECRET, mirror, PART), "a read from %#llx (%s) gave the memory's bytes",
	      (unsigned long long)bus, what);
}

static void check_isolation(const void *unused)
{
	struct pool pool;
	uint64_t start, at, page = 1ULL << page_shift(), entries = 1ULL << (page_shift() - 3);

	(void)unused;
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	CHECK(!window_create(container, page_shift(), entries * page, 1, &start) && start == 0, "no window 0");
	CHECK(!map(container, 0, pool_slot(&pool, MIRROR), page, READ | WRITE), "MAP failed");
	at = physical(pool_slot(&pool, SECRET));
	CHECK(at, "the kernel doesn't say where the memory lies");
	if (at / page % entries == 0)
		skip("the secret's address falls on the mirror's entry");
	reaches_nothing(&pool, at, "its physical address");
	reaches_nothing(&pool, BYPASS | at, "the host's bypass, window 1 closed");
	reaches_nothing(&pool, 4096 * KIB * KIB | at, "4 GiB and its physical address");
	reaches_nothing(&pool, page, "inside the window, never mapped");
	CHECK(!window_create(container, page_shift(), entries * page, 1, &start) && start == BYPASS, "no window 1");
	reaches_nothing(&pool, BYPASS | at, "the host's bypass, window 1 empty");
	CHECK(!window_remove(container, BYPASS), "REMOVE failed");
	reaches_nothing(&pool, BYPASS | at, "the host's bypass, window 1 closed again");
	pass("neither physical addresses nor the host's bypass, window 1 closed, empty and closed again");
}

// Fills freed kernel pages with a word. Pages of pipes come from where pages of tables come from; a process's own don't.
static unsigned spray(uint64_t word, int pipes[PIPES][2])
{
	uint64_t page = 1ULL << page_shift(), *content = malloc(page);
	unsigned filled = 0;

	CHECK(content, "no memory");
	for (uint64_t i = 0; i < page / sizeof(word); i++)
		content[i] = word;
	for (int i = 0; i < PIPES; i++) {
		CHECK(!pipe2(pipes[i], O_NONBLOCK | O_CLOEXEC), "pipe: %s", error_name(errno));
		fcntl(pipes[i][1], F_SETPIPE_SZ, PIPE_PAGES * page);
		while (write(pipes[i][1], content, page) == (ssize_t)page)
			filled++;
	}
	free(content);
	return filled;
}

// Linux empties a table before it removes the window, so a TVE that stayed would go unnoticed at first. The table's page is
// free then: here it is soon had again, with a content that would lead to the pool.
static void check_stale_table(const void *argument)
{
	uint64_t page = 1ULL << page_shift(), size = page << (page_shift() - 3), start, bus, tce;
	unsigned window = *(const unsigned *)argument;
	struct pool pool;
	unsigned filled;
	int pipes[PIPES][2];

	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	if (window == 1)
		CHECK(!window_create(container, page_shift(), size, 1, &start), "no window 0");
	// A table of one page.
	CHECK(!window_create(container, page_shift(), size, 1, &start), "no window");
	bus = start + 5 * page;
	CHECK(!map(container, bus, pool_slot(&pool, SECRET), page, READ | WRITE), "MAP failed");
	pool_fill(&pool);
	edu_fetch(&edu, bus, PART);
	tce = htobe64(physical(pool_slot(&pool, SECRET)) | 3);
	CHECK(!window_remove(container, start), "REMOVE failed");
	filled = spray(tce, pipes);
	edu_store(&edu, bus, PART);
	edu_store(&edu, bus + PART, PART);
	CHECK(pool_intact(&pool, 0, 0), "the bridge still uses the removed window's table");
	for (int i = 0; i < PIPES; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	CHECK(filled >= PIPE_PAGES, "only %u pages could be filled", filled);
	pass("%u pages that look like a table aren't taken for the removed one", filled);
}

void isolation_cases(void)
{
	static const unsigned windows[] = { 0, 1 };

	// First of all: no window 1 has yet taken the place of the host's bypass.
	run_case(check_isolation, NULL, "isolation");
	for (int i = 0; i < 2; i++)
		run_case(check_stale_table, &windows[i], "stale-table-%u", windows[i]);
}
