// A disk under VFIO, alone and together with a copying device in one container.
#include "proof.h"

#include <string.h>

#include "disk.h"

#define PART 1024

static struct device first, second;
static struct nvme nvme;
static struct pool disk_pool;

// Pages of the pool beside the driver's own, at the same places in the window.
enum { LOW = NVME_PAGES, HIGH, FREE };

static uint64_t bus_at(unsigned slot)
{
	// Each page at a place of its own, the two of one transfer far apart.
	return nvme.bus + ((uint64_t)(slot == HIGH ? 200 : slot) << page_shift());
}

static void check_disk_starts(const void *unused)
{
	uint64_t page = 1ULL << page_shift();
	char serial[21];

	(void)unused;
	container = container_open();
	device_open(&second, container, &nvme_pci, true);
	CHECK(pool_for(&disk_pool, page_shift()), "no memory");
	register_pool(&disk_pool);
	pool_fill(&disk_pool);
	window_with(container, pool_slot(&disk_pool, LOW), (uint64_t)LOW << page_shift());
	CHECK(!map(container, 200 * page, pool_slot(&disk_pool, HIGH), page, READ | WRITE), "MAP failed");
	CHECK(!map(container, 0, pool_slot(&disk_pool, 0), NVME_PAGES * page, READ | WRITE), "MAP of the queues failed");
	nvme_start(&nvme, second.bar, pool_slot(&disk_pool, 0), 0, page);
	nvme_serial(&nvme, serial);
	CHECK(!strncmp(serial, "opalite", 7), "the disk says it is '%s'", serial);
	pass("queues in a window of ours; the disk wrote its name '%s'", serial);
}

static void check_disk_moves(const void *unused)
{
	uint8_t *low = pool_slot(&disk_pool, LOW), *high = pool_slot(&disk_pool, HIGH), expected[DISK_BYTES];
	// Two pages of 4 KiB for the disk, in two pages of the kernel's.
	const unsigned half = DISK_BYTES / 2;
	unsigned status;

	(void)unused;
	status = nvme_move(&nvme, false, HOST_BLOCK, DISK_BYTES, bus_at(LOW), bus_at(HIGH));
	CHECK(!status, "read: status %#x", status);
	disk_pattern(expected, BY_HOST);
	CHECK(!memcmp(low, expected, half) && !memcmp(high, expected + half, half), "the disk's bytes didn't arrive");
	disk_pattern(expected, BY_US);
	memcpy(low, expected, half);
	memcpy(high, expected + half, half);
	status = nvme_move(&nvme, true, OUR_BLOCK, DISK_BYTES, bus_at(LOW), bus_at(HIGH));
	CHECK(!status, "write: status %#x", status);
	memset(low, 0, half);
	memset(high, 0, half);
	status = nvme_move(&nvme, false, OUR_BLOCK, DISK_BYTES, bus_at(LOW), bus_at(HIGH));
	CHECK(!status, "read back: status %#x", status);
	CHECK(!memcmp(low, expected, half) && !memcmp(high, expected + half, half), "the bytes read back differ");
	pass("%d bytes read, written and read back through two pages far apart", DISK_BYTES);
}

static bool all(const uint8_t *bytes, uint8_t value)
{
	for (unsigned i = 0; i < 1U << page_shift(); i++)
		if (((const volatile uint8_t *)bytes)[i] != value)
			return false;
	return true;
}

// The memory is looked at, not the command's status: QEMU's disk doesn't notice that its transfer came to nothing.
static void check_disk_unmapped(const void *unused)
{
	uint64_t page = 1ULL << page_shift(), bus = (uint64_t)FREE << page_shift();
	uint8_t *free_page = pool_slot(&disk_pool, FREE), expected[DISK_BYTES];
	unsigned status;

	(void)unused;
	memset(free_page, 0x77, page);
	nvme_move(&nvme, false, HOST_BLOCK, 4096, bus, 0);
	CHECK(all(free_page, 0x77), "a transfer before MAP arrived");
	CHECK(!map(container, bus, free_page, page, READ | WRITE), "MAP failed");
	status = nvme_move(&nvme, false, HOST_BLOCK, 4096, bus, 0);
	disk_pattern(expected, BY_HOST);
	CHECK(!status && !memcmp(free_page, expected, 4096), "a transfer to a mapped page didn't arrive");
	CHECK(!unmap(container, bus, page), "UNMAP failed");
	memset(free_page, 0x77, page);
	nvme_move(&nvme, false, HOST_BLOCK, 4096, bus, 0);
	CHECK(all(free_page, 0x77), "a transfer after UNMAP arrived");
	pass("the disk's bytes don't arrive before MAP and after UNMAP");
}

// A second group comes into the container and finds the windows and mappings that are there.
static void check_second_group(const void *unused)
{
	uint64_t page = 1ULL << page_shift();
	uint8_t *low = pool_slot(&disk_pool, LOW), expected[DISK_BYTES];

	(void)unused;
	device_open(&first, container, &edu_pci[0], false);
	edu.registers = first.bar;
	edu_check(&edu);
	CHECK(!nvme_move(&nvme, false, HOST_BLOCK, 4096, bus_at(LOW), 0), "the disk fails beside another device");
	edu_fetch(&edu, bus_at(LOW), PART);
	edu_store(&edu, bus_at(HIGH) + PART, PART);
	disk_pattern(expected, BY_HOST);
	CHECK(!memcmp(pool_slot(&disk_pool, HIGH) + PART, expected, PART), "the two devices see different memory");
	CHECK(!unmap(container, bus_at(HIGH), page), "UNMAP failed");
	memset(pool_slot(&disk_pool, HIGH), 0x66, page);
	edu_store(&edu, bus_at(HIGH), PART);
	nvme_move(&nvme, false, HOST_BLOCK, 4096, bus_at(HIGH), 0);
	CHECK(all(pool_slot(&disk_pool, HIGH), 0x66), "UNMAP left one of the devices its mapping");
	device_close(&first);
	// Linux 6.12 empties the tables when any of the groups leaves; the windows stay.
	CHECK(!map(container, 0, pool_slot(&disk_pool, 0), NVME_PAGES * page, READ | WRITE) &&
		      !map(container, bus_at(LOW), low, page, READ | WRITE), "MAP after the other device left failed");
	CHECK(!nvme_move(&nvme, false, HOST_BLOCK, 4096, bus_at(LOW), 0) && !memcmp(low, expected, 4096),
	      "the disk fails after the other device left");
	pass("one table serves two groups on two bridges; UNMAP closes it for both; one may leave");
}

void one_container_for_two(void)
{
	if (!run_case(check_disk_starts, NULL, "nvme-start"))
		return;
	run_case(check_disk_moves, NULL, "nvme-read-write");
	run_case(check_disk_unmapped, NULL, "nvme-unmapped");
	run_case(check_second_group, NULL, "shared-container");
	nvme_stop(&nvme);
}

