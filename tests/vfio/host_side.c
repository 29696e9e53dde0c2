// The host before VFIO takes the devices and after it gave them back: the bypass window reaches memory (so that the
// isolation cases can fail), and the disk works.
#include "proof.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"

#define PART 1024

static void check_bypass(const void *argument)
{
	struct edu plain = edu_without_vfio(argument);
	struct pool pool;
	unsigned slot;
	uint64_t at;

	CHECK(pool_for(&pool, page_shift()), "no memory");
	CHECK(!mlock(pool.memory, pool.bytes), "mlock: %s", error_name(errno));
	slot = pool_slot_between_neighbours(&pool);
	at = physical(pool_slot(&pool, slot));
	CHECK(at, "the kernel doesn't say where the memory lies");
	pool_fill(&pool);
	edu_fetch(&plain, BYPASS | at, PART);
	edu_store(&plain, BYPASS | (at + PART), PART);
	CHECK(pool_moved(&pool, (uint64_t)slot << pool.shift, ((uint64_t)slot << pool.shift) + PART, PART),
	      "the bytes didn't arrive");
	CHECK(pool_intact(&pool, ((uint64_t)slot << pool.shift) + PART, PART), "other bytes changed");
	pass("%d bytes by way of %#llx", PART, (unsigned long long)(BYPASS | at));
}

static int open_disk(int mode)
{
	int file = -1;

	for (int i = 0; i < 200 && file < 0; i++) {
		file = open(DISK, mode | O_DIRECT | O_CLOEXEC);
		if (file < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	CHECK(file >= 0, DISK ": %s", error_name(errno));
	return file;
}

static uint8_t *aligned(void)
{
	void *memory;

	CHECK(!posix_memalign(&memory, 1 << 16, DISK_BYTES), "no memory");
	return memory;
}

static void check_host_writes(const void *unused)
{
	uint8_t *bytes = aligned();
	int file = open_disk(O_WRONLY);

	(void)unused;
	disk_pattern(bytes, BY_HOST);
	CHECK(pwrite(file, bytes, DISK_BYTES, HOST_BLOCK * NVME_BLOCK) == DISK_BYTES, "write: %s", error_name(errno));
	CHECK(!fsync(file), "fsync: %s", error_name(errno));
	close(file);
	pass("the host's driver wrote %d bytes", DISK_BYTES);
}

static void check_host_reads(const void *unused)
{
	uint8_t *bytes = aligned(), *expected = aligned();
	int file = open_disk(O_RDONLY);

	(void)unused;
	CHECK(pread(file, bytes, DISK_BYTES, OUR_BLOCK * NVME_BLOCK) == DISK_BYTES, "read: %s", error_name(errno));
	disk_pattern(expected, BY_US);
	CHECK(!memcmp(bytes, expected, DISK_BYTES), "the host doesn't read what was written under VFIO");
	CHECK(pread(file, bytes, DISK_BYTES, HOST_BLOCK * NVME_BLOCK) == DISK_BYTES, "read: %s", error_name(errno));
	disk_pattern(expected, BY_HOST);
	CHECK(!memcmp(bytes, expected, DISK_BYTES), "the host doesn't read what it wrote");
	close(file);
	pass("the host's driver reads both what it wrote and what was written under VFIO");
}

static void check_bind(const void *unused)
{
	const struct pci *all[] = { &edu_pci[0], &edu_pci[1], &nvme_pci };

	(void)unused;
	for (int i = 0; i < 3; i++) {
		CHECK(all[i]->group >= 0, "%s has no IOMMU group", all[i]->address);
		CHECK(bind(all[i], "vfio-pci"), "vfio-pci doesn't take %s", all[i]->address);
	}
	pass("vfio-pci has %s, %s and %s", all[0]->address, all[1]->address, all[2]->address);
}

static void check_release(const void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++)
		CHECK(release(&edu_pci[i], NULL), "%s isn't free", edu_pci[i].address);
	CHECK(release(&nvme_pci, "nvme"), "the driver nvme doesn't take %s", nvme_pci.address);
	pass("the host has its devices again");
}

void before_vfio(void)
{
	for (int i = 0; i < 2; i++)
		run_case(check_bypass, &edu_pci[i], "host-bypass-before-%d", i);
	run_case(check_host_writes, NULL, "host-disk-before");
	run_case(check_bind, NULL, "bind");
}

void after_vfio(void)
{
	run_case(check_release, NULL, "unbind");
	for (int i = 0; i < 2; i++)
		run_case(check_bypass, &edu_pci[i], "host-bypass-after-%d", i);
	run_case(check_host_reads, NULL, "host-disk-after");
}
