// A thousand windows made and removed: what leaks in each round adds up.
#include "proof.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#define ROUNDS 1000
#define WARM_UP 100
// A page lost in each round would be 4000 KiB, a small object of the slab in each round 32 KiB or more. What is seen
// without a leak is the kernel's own coming and going.
#define FREE_BOUND_KIB 1500
#define SLAB_BOUND_KIB 400

struct reading {
	long free, slab;
};

static struct reading reading(void)
{
	write_text("/proc/sys/vm/drop_caches", "3\n");
	return (struct reading){ memory_kib("MemFree"), memory_kib("Slab") };
}

// Would a loss be seen? Twice the bound is taken and given back.
static void check_the_measure(void)
{
	long free = reading().free, less;
	void *memory = mmap(NULL, 2 * FREE_BOUND_KIB * KIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	less = free - reading().free;
	munmap(memory, 2 * FREE_BOUND_KIB * KIB);
	CHECK(less > FREE_BOUND_KIB, "the count of free memory doesn't follow what is taken: %ld KiB", less);
}

// Shapes that take turns, so that slots, levels and page sizes change from round to round.
static void round_of(unsigned i, const struct pool *pool)
{
	static const unsigned shifts[] = { 12, 16, 21 };
	unsigned shift = shifts[i % 3], levels = 1 + i % 2;
	uint64_t starts[2], page = 1ULL << page_shift();
	unsigned windows = 1 + i / 2 % 2;

	for (unsigned w = 0; w < windows; w++) {
		int error = window_create(container, w ? shift : 12, 1ULL << (w ? shift + 8 : 22), levels, &starts[w]);

		CHECK(!error, "round %u, CREATE of window %u: %s", i, w, error_name(error));
		CHECK(starts[w] == (w ? BYPASS : 0), "round %u, window %u starts elsewhere", i, w);
	}
	// Removed with something mapped, now and then.
	if (i % 8 == 0)
		CHECK(!map(container, starts[0], pool->memory, page, READ | WRITE), "round %u, MAP failed", i);
	for (unsigned w = windows; w-- > 0;) {
		int error = window_remove(container, starts[w]);

		CHECK(!error, "round %u, REMOVE of window %u: %s", i, w, error_name(error));
	}
}

static void check_rounds(const void *unused)
{
	struct pool pool;
	struct reading before, after;
	uint64_t start;
	char level[64];

	(void)unused;
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	// The kernel tells of each window; that is a thousand lines to nobody's use.
	read_text("/proc/sys/kernel/printk", level, sizeof(level));
	write_text("/proc/sys/kernel/printk", "5\n");
	for (unsigned i = 0; i < WARM_UP; i++)
		round_of(i, &pool);
	check_the_measure();
	before = reading();
	for (unsigned i = 0; i < ROUNDS; i++)
		round_of(i, &pool);
	after = reading();
	write_text("/proc/sys/kernel/printk", level);
	CHECK(before.free && before.slab, "/proc/meminfo can't be read");
	CHECK(before.free - after.free < FREE_BOUND_KIB, "%ld KiB of free memory are gone after %d rounds",
	      before.free - after.free, ROUNDS);
	CHECK(after.slab - before.slab < SLAB_BOUND_KIB, "the slab grew by %ld KiB in %d rounds",
	      after.slab - before.slab, ROUNDS);
	// The windows still work.
	CHECK(!window_create(container, page_shift(), 1ULL << 26, 1, &start), "CREATE after the rounds failed");
	CHECK(!map(container, start, pool.memory, 1ULL << page_shift(), READ | WRITE), "MAP after the rounds failed");
	pool_fill(&pool);
	edu_fetch(&edu, start, 1024);
	edu_store(&edu, start + 2048, 1024);
	CHECK(pool_moved(&pool, 0, 2048, 1024), "no transfer after the rounds");
	pass("%d rounds: MemFree %+ld KiB, Slab %+ld KiB", ROUNDS, after.free - before.free, after.slab - before.slab);
}

void round_cases(void)
{
	run_case(check_rounds, NULL, "rounds");
}
