// The ways in which devices and containers go together.
#include "proof.h"

#define PART 1024
int container;
struct edu edu;
static struct device first, second;

// After a reset, which leaves the device without DMA.
void enable_again(void)
{
	device_enable(&first);
}

void remove_windows(void)
{
	window_remove(container, BYPASS);
	window_remove(container, 0);
}

// A container keeps memory registered until it is closed; cases share pools.
void register_pool(const struct pool *pool)
{
	static const void *known[4];
	int error;

	for (int i = 0; i < 4; i++) {
		if (known[i] == pool->memory)
			return;
		if (known[i])
			continue;
		error = memory_register(container, pool->memory, pool->bytes);
		CHECK(!error, "REGISTER_MEMORY: %s", error_name(error));
		known[i] = pool->memory;
		return;
	}
}

static void open_first(void)
{
	container = container_open();
	device_open(&first, container, &edu_pci[0], true);
	edu.registers = first.bar;
	edu_check(&edu);
}

// The window that a container has without asking for one: 4K pages from 0.
static void try_default_window(void)
{
	uint64_t page = 1ULL << page_shift(), bus = 64 * page;
	struct pool pool;
	int error;

	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	error = map(container, bus, pool_slot(&pool, 1), page, READ | WRITE);
	CHECK(!error, "MAP in the default window: %s", error_name(error));
	pool_fill(&pool);
	edu_fetch(&edu, bus, PART);
	edu_store(&edu, bus + page - PART, PART);
	CHECK(pool_moved(&pool, page, 2 * page - PART, PART), "the bytes didn't arrive");
	CHECK(pool_intact(&pool, 2 * page - PART, PART), "other bytes changed");
	CHECK(!window_remove(container, 0), "REMOVE of the default window failed");
	pool_fill(&pool);
	edu_store(&edu, bus, PART);
	CHECK(pool_intact(&pool, 0, 0), "a transfer after REMOVE arrived");
}

static void check_open(const void *unused)
{
	struct window_info info;

	(void)unused;
	open_first();
	info = container_info(container);
	CHECK(info.flags & 1, "GET_INFO doesn't say DDW");
	// The cases follow what the kernel says, so one that is missing there would go unnoticed.
	CHECK(info.page_sizes == bridge_page_sizes(), "pgsizes %#llx instead of %#llx",
	      (unsigned long long)info.page_sizes, (unsigned long long)bridge_page_sizes());
	CHECK(info.windows == 2 && info.levels == 5, "%u windows, %u levels", info.windows, info.levels);
	try_default_window();
	pass("pgsizes %#llx, %u windows, %u levels; default window %#x at %#x works without CREATE until REMOVE",
	     (unsigned long long)info.page_sizes, info.windows, info.levels, info.size, info.start);
}

// Where the killed process leaves a mapping.
#define LEFT (16ULL << page_shift())

static void leave_everything(const void *unused)
{
	struct pool pool;
	uint64_t start, page = 1ULL << page_shift();

	(void)unused;
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	CHECK(!window_create(container, page_shift(), page << page_shift() >> 3, 1, &start) && !start, "CREATE failed");
	CHECK(!window_create(container, page_shift(), page << page_shift() >> 3, 1, &start), "CREATE failed");
	CHECK(!map(container, LEFT, pool_slot(&pool, 0), page, READ | WRITE), "MAP failed");
	CHECK(!map(container, BYPASS | LEFT, pool_slot(&pool, 0), page, READ | WRITE), "MAP in window 1 failed");
	pass("two windows with mappings; now the process is killed");
}

// The process before this one was killed with its windows open.
static void check_killed(const void *unused)
{
	struct pool pool;

	(void)unused;
	open_first();
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	CHECK(!window_remove(container, 0), "REMOVE of the default window failed");
	pool_fill(&pool);
	edu_store(&edu, LEFT, PART);
	edu_store(&edu, BYPASS | LEFT, PART);
	CHECK(pool_intact(&pool, 0, 0), "a transfer arrived before anything was mapped");
	CHECK(window_remove(container, 0) && window_remove(container, BYPASS), "a window is still there");
	pass("the windows of a killed process went with it; the next process begins with none");
}

void one_device(void)
{
	if (!run_case(check_open, NULL, "container"))
		return;
	// One opening with the reset that belongs to it is enough.
	without_reset(&edu_pci[0]);
	without_reset(&edu_pci[1]);
	after_each_case(remove_windows);
	isolation_cases();
	window_shapes();
	mapping_cases();
	error_cases();
	eeh_cases();
	round_cases();
	after_each_case(NULL);
	run_case(leave_everything, NULL, "left-open");
}

// A window 0 with one page mapped at `bus`, in place of the default window.
void window_with(int of, const void *memory, uint64_t bus)
{
	uint64_t start, page = 1ULL << page_shift();

	CHECK(!window_remove(of, 0), "REMOVE of the default window failed");
	CHECK(!window_create(of, page_shift(), 256 * page, 1, &start) && start == 0, "CREATE failed");
	CHECK(!map(of, bus, memory, page, READ | WRITE), "MAP failed");
}

static void check_two_containers(const void *unused)
{
	uint64_t page = 1ULL << page_shift(), shared = 8 * page, only_second = 9 * page, start;
	struct edu other;
	struct pool pool;
	int both;

	(void)unused;
	both = container_open();
	device_open(&second, both, &edu_pci[1], true);
	other.registers = second.bar;
	edu_check(&other);
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	CHECK(!memory_register(both, pool.memory, pool.bytes), "REGISTER_MEMORY for the second container failed");
	CHECK(!window_create(container, page_shift(), 256 * page, 1, &start) && start == 0, "CREATE failed");
	CHECK(!map(container, shared, pool_slot(&pool, 0), page, READ | WRITE), "MAP failed");
	window_with(both, pool_slot(&pool, 1), shared);
	CHECK(!map(both, only_second, pool_slot(&pool, 2), page, READ | WRITE), "MAP failed");
	// One bus address, two devices: each comes to its own page.
	pool_fill(&pool);
	edu_fetch(&edu, shared, PART);
	edu_fetch(&other, shared, PART);
	edu_store(&edu, shared + PART, PART);
	CHECK(pool_moved(&pool, 0, PART, PART) && pool_intact(&pool, PART, PART), "the first device went elsewhere");
	pool_fill(&pool);
	edu_fetch(&other, shared, PART);
	edu_store(&other, shared + PART, PART);
	CHECK(pool_moved(&pool, page, page + PART, PART) && pool_intact(&pool, page + PART, PART),
	      "the second device went elsewhere");
	pool_fill(&pool);
	edu_store(&edu, only_second, PART);
	CHECK(pool_intact(&pool, 0, 0), "a device uses another device's mapping");
	edu_store(&other, only_second, PART);
	CHECK(!pool_intact(&pool, 0, 0), "the second device's own mapping doesn't work");
	// The first device's windows go, the second's stay.
	CHECK(!window_remove(container, 0), "REMOVE failed");
	pool_fill(&pool);
	edu_store(&edu, shared, PART);
	CHECK(pool_intact(&pool, 0, 0), "a transfer after REMOVE arrived");
	edu_store(&other, shared, PART);
	CHECK(!pool_intact(&pool, 0, 0), "REMOVE for one device closed another's window");
	pass("one bus address leads each of two devices to its own page; one's REMOVE leaves the other's window");
}

void two_containers(void)
{
	if (run_case(check_killed, NULL, "killed-process"))
		run_case(check_two_containers, NULL, "two-containers");
}
