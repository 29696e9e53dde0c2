// Proof of DMA windows from Linux's user space: what the parts of the program share. See main.c for what it does.
#ifndef PROOF_H
#define PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYPASS (1ULL << 59) // Window 1 begins here, and so does the host's bypass window.
#define KIB 1024ULL

// report.c: cases and sessions. A session is a process: whatever its cases leave behind ends with it.
void session(const char *name, void (*body)(void));
void session_to_be_killed(const char *name, void (*body)(void)); // with all that it has open
bool run_case(void (*body)(const void *), const void *argument, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
void after_each_case(void (*cleanup)(void));
void pass(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
int total(void);
#define CHECK(condition, ...) \
	do { \
		if (!(condition)) \
			fail(__VA_ARGS__); \
	} while (0)
// An errno's name, for reports.
const char *error_name(int error);

// host.c: the kernel's files.
struct pci {
	char address[16];
	char path[64];
	int group;
};
bool read_text(const char *path, char *text, size_t size);
bool write_text(const char *path, const char *text);
int find_devices(uint32_t id, uint32_t class, struct pci *found, int most);
bool bind(const struct pci *device, const char *driver);
void without_reset(const struct pci *device);
bool release(const struct pci *device, const char *driver);
uint64_t physical(const void *address);
uint64_t memory_kib(const char *name);
unsigned page_shift(void);
bool is_power8(void);
uint64_t bridge_page_sizes(void); // what the bridges translate, whatever the kernel's own pages are
unsigned large_page_shift(void); // the third of them
char *size_text(unsigned shift);

// vfio.c: containers, windows, mappings. Functions that can be refused give 0 or an errno.
struct device {
	int group;
	int fd;
	volatile uint8_t *bar;
	size_t bar_size;
};
struct window_info {
	uint32_t flags, start, size, windows, levels;
	uint64_t page_sizes;
};
int container_open(void);
int group_join(int container, int number, bool first);
void device_open(struct device *device, int container, const struct pci *pci, bool first);
void device_enable(const struct device *device);
void device_close(struct device *device);
struct window_info container_info(int container);
int memory_register(int container, const void *address, uint64_t size);
int memory_unregister(int container, const void *address, uint64_t size);
int window_create(int container, unsigned shift, uint64_t size, unsigned levels, uint64_t *start);
int window_remove(int container, uint64_t start);
#define READ 1
#define WRITE 2
int map(int container, uint64_t bus, const void *address, uint64_t size, unsigned permission);
int unmap(int container, uint64_t bus, uint64_t size);

// pool.c: memory for transfers with a known content.
struct pool {
	uint8_t *memory;
	uint64_t bytes;
	unsigned backing; // Shift of the pages that the memory consists of.
	unsigned shift; // Shift of a slot: the TCE page size of the case.
	unsigned slots;
	uint64_t seed;
};
bool pool_for(struct pool *pool, unsigned shift);
uint8_t *pool_slot(const struct pool *pool, unsigned slot);
unsigned pool_slot_between_neighbours(const struct pool *pool);
void pool_fill(struct pool *pool);
bool pool_intact(const struct pool *pool, uint64_t but_from, uint64_t but_bytes);
bool pool_moved(const struct pool *pool, uint64_t from, uint64_t to, uint64_t bytes);
bool pool_seen(const struct pool *pool, unsigned secret, const void *where, uint64_t bytes);

// spray.c: freed kernel pages, filled with a word.
unsigned spray(uint64_t word);
void spray_end(void);

// edu.c: QEMU's edu device, a copying engine with a buffer of 4 KiB.
struct edu {
	volatile uint8_t *registers;
};
#define EDU_BUFFER 4096
void edu_check(const struct edu *edu);
void edu_fetch(const struct edu *edu, uint64_t bus, unsigned bytes); // memory to device
void edu_store(const struct edu *edu, uint64_t bus, unsigned bytes); // device to memory
struct edu edu_without_vfio(const struct pci *pci);

// nvme.c: a driver for one disk, without interrupts.
struct nvme {
	volatile uint8_t *registers;
	uint8_t *memory;
	uint64_t bus;
	unsigned page;
	unsigned head[2], tail[2], phase[2];
};
#define NVME_PAGES 6
#define NVME_BLOCK 512
void nvme_start(struct nvme *nvme, volatile uint8_t *bar, uint8_t *memory, uint64_t bus, unsigned page);
void nvme_serial(struct nvme *nvme, char serial[21]);
unsigned nvme_move(struct nvme *nvme, bool write, uint64_t block, unsigned bytes, uint64_t bus, uint64_t second);
void nvme_stop(struct nvme *nvme);

// The devices, found once.
extern struct pci edu_pci[2];
extern struct pci nvme_pci;

// Sessions.
void before_vfio(void);
void one_device(void);
void two_containers(void);
void one_container_for_two(void);
void after_vfio(void);

// Cases of the session one_device, on a container whose windows are all removed.
extern int container;
extern struct edu edu;
void enable_again(void);
void remove_windows(void);
void register_pool(const struct pool *pool);
void window_with(int container, const void *memory, uint64_t bus);
void window_shapes(void);
void mapping_cases(void);
void error_cases(void);
void isolation_cases(void);
void eeh_cases(void);
void round_cases(void);

#endif
