// QEMU's edu device. Its registers have the machine's byte order, which is big for POWER whatever the kernel runs in.
#include "proof.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define IDENTIFICATION 0x00
#define SOURCE 0x80
#define DESTINATION 0x88
#define COUNT 0x90
#define COMMAND 0x98
#define BUFFER 0x40000
#define START 1
#define TO_MEMORY 2
#define BAR_BYTES (1 << 20)
// One transfer takes 100 ms of the machine's time.
#define PATIENCE_MS 5000

static void store(const struct edu *edu, unsigned offset, uint64_t value)
{
	*(volatile uint64_t *)(edu->registers + offset) = htobe64(value);
	__sync_synchronize();
}

void edu_check(const struct edu *edu)
{
	uint32_t id = be32toh(*(volatile uint32_t *)(edu->registers + IDENTIFICATION));

	CHECK((id & 0xff) == 0xed, "the device calls itself %#x", id);
}

static void go(const struct edu *edu, uint64_t from, uint64_t to, unsigned bytes, unsigned command)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };

	__sync_synchronize();
	store(edu, SOURCE, from);
	store(edu, DESTINATION, to);
	store(edu, COUNT, bytes);
	store(edu, COMMAND, START | command);
	for (int i = 0; i < PATIENCE_MS; i++) {
		uint64_t now = be64toh(*(volatile uint64_t *)(edu->registers + COMMAND));

		__sync_synchronize();
		if (!(now & START))
			return;
		nanosleep(&millisecond, NULL);
	}
	fail("the device doesn't finish a transfer");
}

void edu_fetch(const struct edu *edu, uint64_t bus, unsigned bytes)
{
	go(edu, bus, BUFFER, bytes, 0);
}

void edu_store(const struct edu *edu, uint64_t bus, unsigned bytes)
{
	go(edu, BUFFER, bus, bytes, TO_MEMORY);
}

// The device as the host has it: no driver, no VFIO, and the windows that the kernel made when it found the device.
struct edu edu_without_vfio(const struct pci *pci)
{
	struct edu edu;
	char path[96];
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	int file;

	snprintf(path, sizeof(path), "%s/config", pci->path);
	file = open(path, O_RDWR | O_CLOEXEC);
	command = htole16(command);
	CHECK(file >= 0 && pwrite(file, &command, 2, PCI_COMMAND) == 2, "%s can't be written", path);
	close(file);
	snprintf(path, sizeof(path), "%s/resource0", pci->path);
	file = open(path, O_RDWR | O_CLOEXEC);
	CHECK(file >= 0, "%s can't be opened: %s", path, error_name(errno));
	edu.registers = mmap(NULL, BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	CHECK(edu.registers != MAP_FAILED, "%s can't be mapped", path);
	edu_check(&edu);
	return edu;
}
