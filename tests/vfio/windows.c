// Windows of every page size and level count, as window 0 and as window 1: made, proven with moved bytes, closed.
#include "proof.h"

#include <endian.h>
#include <errno.h>

struct shape {
	unsigned window, shift, levels;
};

// What stays inside the page of a transfer over its end, and the length of every other one.
#define PART (EDU_BUFFER / 2)

static unsigned bits_per_level(void)
{
	return page_shift() - 3;
}

// Linux gives each level at least one kernel page, and wants fewer than 55 address bits in all.
static bool kernel_refuses(const struct shape *shape, unsigned entry_bits)
{
	unsigned each = (entry_bits + shape->levels - 1) / shape->levels;

	if (each < bits_per_level())
		each = bits_per_level();
	return each * shape->levels + shape->shift >= 55;
}

// So many entries that every level has more than one, so few that each table is a page of the kernel's, and so few that
// the kernel can clear them one by one. For PHB3 it also invalidates them one by one.
static unsigned entry_bits(unsigned levels)
{
	unsigned bits = levels > 1 ? bits_per_level() * (levels - 1) + 1 : bits_per_level();
	unsigned most = bits_per_level() + (is_power8() ? 12 : 19);

	return bits < most ? bits : most;
}

// The device reads the page's start and writes it to the page's end: as far as that, or beyond it, where nothing is
// mapped.
static void copy(struct pool *pool, unsigned slot, uint64_t bus, unsigned bytes, const char *where)
{
	uint64_t size = 1ULL << pool->shift, base = slot * size;

	pool_fill(pool);
	edu_fetch(&edu, bus, bytes);
	edu_store(&edu, bus + size - PART, bytes);
	CHECK(pool_moved(pool, base, base + size - PART, PART), "%s page: the bytes didn't arrive", where);
	CHECK(pool_intact(pool, base + size - PART, PART), "%s page: other bytes changed", where);
}

static void reaches_nothing(struct pool *pool, uint64_t bus, const char *when)
{
	pool_fill(pool);
	edu_store(&edu, bus, PART);
	CHECK(pool_intact(pool, 0, 0), "a transfer %s arrived", when);
}

// A page for reading only.
static void is_not_written(struct pool *pool, unsigned slot, uint64_t bus)
{
	uint64_t size = 1ULL << pool->shift;
	int error = map(container, bus, pool_slot(pool, slot), size, READ);

	CHECK(!error, "MAP for reading: %s", error_name(error));
	reaches_nothing(pool, bus, "to a page for reading");
	error = unmap(container, bus, size);
	CHECK(!error, "UNMAP after reading: %s", error_name(error));
}

// Linux empties a table before it removes the window, so a TVE that stayed would go unnoticed at first. The tables' pages
// are free then: here they are soon had again, with a content that leads to the slot, however many levels are walked: each
// word leads to the slot, and the slot's first word does too.
static unsigned removed_for_good(struct pool *pool, unsigned slot, uint64_t start)
{
	uint64_t base = (uint64_t)slot << pool->shift;
	uint64_t entry = htobe64(physical(pool_slot(pool, slot)) | 3);
	unsigned filled;
	int error;

	pool_fill(pool);
	edu_fetch(&edu, start + PART, PART);
	error = window_remove(container, start);
	CHECK(!error, "REMOVE: %s", error_name(error));
	*(volatile uint64_t *)(pool->memory + base) = entry;
	filled = spray(entry);
	edu_store(&edu, start, PART);
	CHECK(pool_intact(pool, base, sizeof(entry)), "the bridge still uses the removed window's table");
	spray_end();
	return filled;
}

static unsigned prove(struct pool *pool, const struct shape *shape, uint64_t start, unsigned bits)
{
	static const char *const names[] = { "first", "middle", "last" };
	uint64_t size = 1ULL << shape->shift, entries = 1ULL << bits;
	// Indices differ at every level; the middle one leaves the entry behind it empty.
	uint64_t index[] = { 0, 0xaaaaaaaaaaaaaaaaULL & (entries - 1), entries - 1 };
	unsigned slot = pool_slot_between_neighbours(pool);
	int error;

	reaches_nothing(pool, start + index[1] * size, "before MAP");
	CHECK(physical(pool->memory), "the kernel doesn't say where the memory lies");
	reaches_nothing(pool, BYPASS | physical(pool->memory), "by the host's bypass");
	for (int i = 0; i < 3; i++) {
		unsigned other = (slot + (i != 1)) % pool->slots;

		error = map(container, start + index[i] * size, pool_slot(pool, other), size, READ | WRITE);
		CHECK(!error, "MAP of the %s page: %s", names[i], error_name(error));
		copy(pool, other, start + index[i] * size, i == 1 ? EDU_BUFFER : PART, names[i]);
	}
	error = unmap(container, start + index[1] * size, size);
	CHECK(!error, "UNMAP: %s", error_name(error));
	reaches_nothing(pool, start + index[1] * size, "after UNMAP");
	is_not_written(pool, slot, start + index[1] * size);
	return removed_for_good(pool, (slot + 1) % pool->slots, start);
}

static void check_shape(const void *argument)
{
	const struct shape *shape = argument;
	unsigned bits = entry_bits(shape->levels), filled;
	uint64_t size = 1ULL << bits << shape->shift, start = ~0ULL, first;
	struct pool pool;
	int error;

	if (shape->window == 1)
		CHECK(!window_create(container, 12, 1ULL << 24, 1, &first) && first == 0, "no window 0");
	error = window_create(container, shape->shift, size, shape->levels, &start);
	if (kernel_refuses(shape, bits)) {
		CHECK(error == EINVAL, "CREATE that the kernel should refuse: %s", error_name(error));
		pass("the kernel refuses it (EINVAL): %u levels of %u bits and a page of %u bits reach bit 55",
		     shape->levels, bits_per_level(), shape->shift);
	}
	CHECK(!error, "CREATE of %s: %s", size_text(bits + shape->shift), error_name(error));
	CHECK(start == (shape->window ? BYPASS : 0), "the window starts at %#llx", (unsigned long long)start);
	if (!pool_for(&pool, shape->shift)) {
		CHECK(pool_for(&pool, page_shift()), "no memory");
		register_pool(&pool);
		reaches_nothing(&pool, start, "in a window without mappings");
		CHECK(!window_remove(container, start), "REMOVE failed");
		skip("CREATE of %s and REMOVE work; MAP needs huge pages of %s or more, which this boot doesn't have",
		     size_text(bits + shape->shift), size_text(shape->shift));
	}
	register_pool(&pool);
	filled = prove(&pool, shape, start, bits);
	pass("%s window at %#llx: 3 pages, both directions, page end, reading only, no bypass, UNMAP, REMOVE, then %u pages "
	     "like its tables; memory in pages of %s",
	     size_text(bits + shape->shift), (unsigned long long)start, filled, size_text(pool.backing));
}

static void check(unsigned window, unsigned shift, unsigned levels)
{
	struct shape shape = { window, shift, levels };

	run_case(check_shape, &shape, "window%u-%s-%u", window, size_text(shift), levels);
}

void window_shapes(void)
{
	uint64_t sizes = container_info(container).page_sizes;

	for (unsigned shift = 0; shift < 64; shift++) {
		unsigned most = 0;

		if (!(sizes >> shift & 1))
			continue;
		for (unsigned levels = 1; levels <= 5; levels++) {
			struct shape shape = { 0, shift, levels };

			check(0, shift, levels);
			if (!kernel_refuses(&shape, entry_bits(levels)))
				most = levels;
		}
		// Window 1 with the last shape that worked: its TVE is another slot, but the walk is the same.
		check(1, shift, most);
	}
}
