// Thousands of windows made and removed: what leaks in each round adds up.
#include "proof.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS 3000
#define ROUNDS_64K 1000 // A window takes longer there, and a page weighs more.
#define WARM_UP 100
// A page lost in each round would be 12000 KiB, of which the kernel's lists of pages at hand can hide some; an object of
// 64 bytes lost in each round would be 190 KiB of the slab. The kernel's own coming and going is below the bounds.
#define LOSS_KIB (4L * ROUNDS)
#define FREE_BOUND_KIB 3000
#define SLAB_BOUND_KIB 160

struct reading {
	long free, slab;
};

static struct reading reading(void)
{
	write_text("/proc/sys/vm/drop_caches", "3\n");
	return (struct reading){ memory_kib("MemFree"), memory_kib("Slab") };
}

static bool lost(struct reading before, struct reading after)
{
	return before.free - after.free >= FREE_BOUND_KIB || after.slab - before.slab >= SLAB_BOUND_KIB;
}

// What the kernel only puts off freeing is there again a moment later; what leaked isn't.
static struct reading settled(struct reading before)
{
	struct reading after = reading();

	if (!lost(before, after))
		return after;
	sleep(2);
	return reading();
}

// Would a loss be seen? As much as a page for each round is taken and given back.
static void check_the_measure(void)
{
	long free = reading().free, less;
	void *memory = mmap(NULL, LOSS_KIB * KIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	less = free - reading().free;
	munmap(memory, LOSS_KIB * KIB);
	CHECK(less > FREE_BOUND_KIB, "the count of free memory doesn't follow what is taken: %ld KiB", less);
}

// Shapes that take turns, so that slots, levels and page sizes change from round to round.
static void round_of(unsigned i, const struct pool *pool)
{
	const unsigned shifts[] = { 12, 16, large_page_shift() };
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
	unsigned rounds = page_shift() > 12 ? ROUNDS_64K : ROUNDS;
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
	before = reading();
	for (unsigned i = 0; i < rounds; i++)
		round_of(i, &pool);
	after = settled(before);
	check_the_measure();
	write_text("/proc/sys/kernel/printk", level);
	CHECK(before.free && before.slab, "/proc/meminfo can't be read");
	CHECK(before.free - after.free < FREE_BOUND_KIB, "%ld KiB of free memory are gone after %u rounds",
	      before.free - after.free, rounds);
	CHECK(after.slab - before.slab < SLAB_BOUND_KIB, "the slab grew by %ld KiB in %u rounds",
	      after.slab - before.slab, rounds);
	// The windows still work.
	CHECK(!window_create(container, page_shift(), 1ULL << 26, 1, &start), "CREATE after the rounds failed");
	CHECK(!map(container, start, pool.memory, 1ULL << page_shift(), READ | WRITE), "MAP after the rounds failed");
	pool_fill(&pool);
	edu_fetch(&edu, start, 1024);
	edu_store(&edu, start + 2048, 1024);
	CHECK(pool_moved(&pool, 0, 2048, 1024), "no transfer after the rounds");
	pass("%u rounds: MemFree %+ld KiB, Slab %+ld KiB", rounds, after.free - before.free, after.slab - before.slab);
}

void round_cases(void)
{
	run_case(check_rounds, NULL, "rounds");
}
