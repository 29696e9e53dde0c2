// Resets of a PE by its user: VFIO's EEH operations, as a guest's kernel has them made after an error. QEMU's bridges freeze no
// PE by themselves, but a reset begins with a freeze.
#include "proof.h"

#include <errno.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

static int operation(uint32_t op)
{
	struct vfio_eeh_pe_op request = { .argsz = sizeof(request), .op = op };
	int status = ioctl(container, VFIO_EEH_PE_OP, &request);

	return status < 0 ? -errno : status;
}

#define SUCCEEDS(name) \
	do { \
		int status = operation(VFIO_EEH_PE_##name); \
		CHECK(status >= 0, #name ": %s", error_name(-status)); \
	} while (0)

static void is_normal(const char *when)
{
	int state = operation(VFIO_EEH_PE_GET_STATE);

	CHECK(state == VFIO_EEH_PE_STATE_NORMAL, "state %d %s", state, when);
}

static void moves(struct pool *pool, uint64_t bus, const char *when)
{
	uint64_t page = 1ULL << page_shift(), half = EDU_BUFFER / 2;

	pool_fill(pool);
	edu_fetch(&edu, bus, half);
	edu_store(&edu, bus + page - half, half);
	CHECK(pool_moved(pool, 0, page - half, half), "the bytes didn't arrive %s", when);
	CHECK(pool_intact(pool, page - half, half), "other bytes changed %s", when);
}

// The window and what is mapped in it outlive the reset; the device comes back as it was.
static void check_reset(const void *argument)
{
	bool fundamental = argument;
	uint64_t start, bus = 5ULL << page_shift(), page = 1ULL << page_shift();
	struct pool pool;

	CHECK(ioctl(container, VFIO_CHECK_EXTENSION, VFIO_EEH) == 1, "no VFIO_EEH");
	CHECK(pool_for(&pool, page_shift()), "no memory");
	register_pool(&pool);
	CHECK(!window_create(container, page_shift(), page << 8, 1, &start) && !start, "CREATE failed");
	CHECK(!map(container, bus, pool_slot(&pool, 0), page, READ | WRITE), "MAP failed");
	SUCCEEDS(ENABLE);
	is_normal("before the reset");
	moves(&pool, bus, "before the reset");
	if (fundamental)
		SUCCEEDS(RESET_FUNDAMENTAL);
	else
		SUCCEEDS(RESET_HOT);
	SUCCEEDS(RESET_DEACTIVATE);
	SUCCEEDS(UNFREEZE_IO);
	SUCCEEDS(UNFREEZE_DMA);
	SUCCEEDS(CONFIGURE);
	is_normal("after the reset");
	enable_again();
	edu_check(&edu);
	moves(&pool, bus, "after the reset");
	pool_fill(&pool);
	edu_store(&edu, bus + page, EDU_BUFFER);
	CHECK(pool_intact(&pool, 0, 0), "a transfer to an unmapped page arrived after the reset");
	pass("frozen, reset, let run, configured: the window is there as before, and nothing else is");
}

void eeh_cases(void)
{
	run_case(check_reset, (void *)false, "reset-hot");
	run_case(check_reset, (void *)true, "reset-fundamental");
}
