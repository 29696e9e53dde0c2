// A driver for one NVMe disk, small enough to see every transfer that it causes: an admin queue, one I/O queue, polling.
// NVM Express base specification 1.4: registers §3.1, queues §4.1, admin commands §5, NVM commands §6.
#include "proof.h"

#include <string.h>
#include <time.h>

#define CC 0x14
#define CSTS 0x1c
#define AQA 0x24
#define ASQ 0x28
#define ACQ 0x30
#define DOORBELLS 0x1000

#define CC_ENABLE 1U
#define CC_ENTRIES (6U << 16 | 4U << 20) // 64-byte commands, 16-byte completions
#define CSTS_READY 1U

#define CREATE_SQ 0x01
#define CREATE_CQ 0x05
#define IDENTIFY 0x06
#define IO_WRITE 0x01
#define IO_READ 0x02

#define ENTRIES 16U
#define PATIENCE_MS 5000

// Pages of the driver's memory.
enum { ADMIN_COMMANDS, ADMIN_COMPLETIONS, IO_COMMANDS, IO_COMPLETIONS, IDENTITY };
_Static_assert(IDENTITY < NVME_PAGES, "pages");

struct command {
	uint32_t opcode, namespace;
	uint64_t reserved, metadata, prp1, prp2;
	uint32_t words[6];
};
_Static_assert(sizeof(struct command) == 64, "a command has 64 bytes");

struct completion {
	uint32_t result, reserved;
	uint16_t head, queue, id, status;
};

static uint32_t load32(struct nvme *nvme, unsigned offset)
{
	return *(volatile uint32_t *)(nvme->registers + offset);
}

static void store32(struct nvme *nvme, unsigned offset, uint32_t value)
{
	__sync_synchronize();
	*(volatile uint32_t *)(nvme->registers + offset) = value;
}

static void store64(struct nvme *nvme, unsigned offset, uint64_t value)
{
	store32(nvme, offset, (uint32_t)value);
	store32(nvme, offset + 4, (uint32_t)(value >> 32));
}

static void a_millisecond(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void await_ready(struct nvme *nvme, uint32_t ready)
{
	for (int i = 0; (load32(nvme, CSTS) & CSTS_READY) != ready; i++) {
		CHECK(i < PATIENCE_MS, "the disk doesn't become %s", ready ? "ready" : "disabled");
		a_millisecond();
	}
}

static uint64_t bus_of(struct nvme *nvme, unsigned page)
{
	return nvme->bus + (uint64_t)page * nvme->page;
}

// Gives the command's status: 0 is success.
static unsigned submit(struct nvme *nvme, unsigned queue, struct command *command)
{
	struct command *commands = (void *)(nvme->memory + (queue ? IO_COMMANDS : ADMIN_COMMANDS) * nvme->page);
	volatile struct completion *done =
		(void *)(nvme->memory + (queue ? IO_COMPLETIONS : ADMIN_COMPLETIONS) * nvme->page);
	unsigned status;

	command->opcode |= (nvme->tail[queue] + 1) << 16;
	commands[nvme->tail[queue]] = *command;
	nvme->tail[queue] = (nvme->tail[queue] + 1) % ENTRIES;
	store32(nvme, DOORBELLS + queue * 8, nvme->tail[queue]);
	done += nvme->head[queue];
	for (int i = 0; (done->status & 1) != nvme->phase[queue]; i++) {
		CHECK(i < PATIENCE_MS, "the disk doesn't complete a command");
		a_millisecond();
	}
	__sync_synchronize();
	status = done->status >> 1;
	nvme->head[queue] = (nvme->head[queue] + 1) % ENTRIES;
	if (!nvme->head[queue])
		nvme->phase[queue] ^= 1;
	store32(nvme, DOORBELLS + queue * 8 + 4, nvme->head[queue]);
	return status & 0x7ff;
}

// Starts the disk with its queues in `memory`, which the device reaches at `bus`; `page` bytes for each queue.
void nvme_start(struct nvme *nvme, volatile uint8_t *bar, uint8_t *memory, uint64_t bus, unsigned page)
{
	struct command queue = { .opcode = CREATE_CQ, .words = { (ENTRIES - 1) << 16 | 1, 1 } };
	unsigned status;

	*nvme = (struct nvme){ .registers = bar, .memory = memory, .bus = bus, .page = page, .phase = { 1, 1 } };
	memset(memory, 0, NVME_PAGES * page);
	store32(nvme, CC, 0);
	await_ready(nvme, 0);
	store32(nvme, AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
	store64(nvme, ASQ, bus_of(nvme, ADMIN_COMMANDS));
	store64(nvme, ACQ, bus_of(nvme, ADMIN_COMPLETIONS));
	store32(nvme, CC, CC_ENABLE | CC_ENTRIES);
	await_ready(nvme, CSTS_READY);
	queue.prp1 = bus_of(nvme, IO_COMPLETIONS);
	status = submit(nvme, 0, &queue);
	CHECK(!status, "creating the completion queue: status %#x", status);
	queue.opcode = CREATE_SQ;
	queue.prp1 = bus_of(nvme, IO_COMMANDS);
	queue.words[1] = 1 << 16 | 1;
	status = submit(nvme, 0, &queue);
	CHECK(!status, "creating the command queue: status %#x", status);
}

// The serial number that the disk writes into memory.
void nvme_serial(struct nvme *nvme, char serial[21])
{
	struct command identify = { .opcode = IDENTIFY, .prp1 = bus_of(nvme, IDENTITY), .words = { 1 } };
	unsigned status = submit(nvme, 0, &identify), end = 20;

	CHECK(!status, "IDENTIFY: status %#x", status);
	memcpy(serial, nvme->memory + IDENTITY * nvme->page + 4, 20);
	while (end && (serial[end - 1] == ' ' || !serial[end - 1]))
		end--;
	serial[end] = 0;
}

// Moves bytes between the disk and memory at bus addresses; gives the disk's status.
unsigned nvme_move(struct nvme *nvme, bool write, uint64_t block, unsigned bytes, uint64_t bus, uint64_t second)
{
	struct command move = { .opcode = write ? IO_WRITE : IO_READ, .namespace = 1, .prp1 = bus, .prp2 = second };

	move.words[0] = (uint32_t)block;
	move.words[1] = (uint32_t)(block >> 32);
	move.words[2] = bytes / NVME_BLOCK - 1;
	return submit(nvme, 1, &move);
}

void nvme_stop(struct nvme *nvme)
{
	store32(nvme, CC, 0);
	await_ready(nvme, 0);
}
