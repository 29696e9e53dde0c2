// The kernel's files: devices and drivers, physical addresses, counts of memory.
#include "proof.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"

bool read_text(const char *path, char *text, size_t size)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = file < 0 ? -1 : read(file, text, size - 1);

	if (file >= 0)
		close(file);
	text[got < 0 ? 0 : got] = 0;
	return got >= 0;
}

bool write_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t size = strlen(text);
	bool done = file >= 0 && write(file, text, size) == size;

	if (file >= 0)
		close(file);
	return done;
}

static uint32_t number_in(const char *folder, const char *name)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return read_text(path, text, sizeof(text)) ? strtoul(text, NULL, 16) : 0;
}

static int group_of(const char *folder)
{
	char path[128], link[128];
	ssize_t got;

	snprintf(path, sizeof(path), "%s/iommu_group", folder);
	got = readlink(path, link, sizeof(link) - 1);
	if (got < 0)
		return -1;
	link[got] = 0;
	return atoi(strrchr(link, '/') + 1);
}

static int by_name(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

// Devices with this vendor << 16 | device, or this class if the id is 0; in the order of their addresses.
int find_devices(uint32_t id, uint32_t class, struct pci *found, int most)
{
	struct dirent **entries;
	int count = 0, entered = scandir(DEVICES, &entries, NULL, by_name);

	for (int i = 0; i < entered && count < most; i++) {
		struct pci *pci = &found[count];

		if (entries[i]->d_name[0] == '.')
			continue;
		snprintf(pci->address, sizeof(pci->address), "%.15s", entries[i]->d_name);
		snprintf(pci->path, sizeof(pci->path), DEVICES "/%s", pci->address);
		pci->group = group_of(pci->path);
		if (id ? (number_in(pci->path, "vendor") << 16 | number_in(pci->path, "device")) == id :
			 number_in(pci->path, "class") == class)
			count++;
	}
	return count;
}

static bool has_driver(const struct pci *device, const char *driver)
{
	char path[96], link[128];
	ssize_t got;

	snprintf(path, sizeof(path), "%s/driver", device->path);
	got = readlink(path, link, sizeof(link) - 1);
	if (got < 0)
		return !driver;
	link[got] = 0;
	return driver && !strcmp(strrchr(link, '/') + 1, driver);
}

// Gives the device to this driver and to no other.
bool bind(const struct pci *device, const char *driver)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/driver_override", device->path);
	if (!write_text(path, driver))
		return false;
	snprintf(path, sizeof(path), "%s/driver/unbind", device->path);
	write_text(path, device->address);
	return write_text("/sys/bus/pci/drivers_probe", device->address) && has_driver(device, driver);
}

// From now on opening the device doesn't reset it. A reset through the bridge takes two seconds, each time.
void without_reset(const struct pci *device)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/reset_method", device->path);
	write_text(path, "\n");
}

// Takes the device from VFIO and lets the kernel choose; that must lead to this driver (NULL: to none).
bool release(const struct pci *device, const char *driver)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/driver_override", device->path);
	if (!write_text(path, "\n"))
		return false;
	snprintf(path, sizeof(path), "%s/driver/unbind", device->path);
	if (!write_text(path, device->address))
		return false;
	write_text("/sys/bus/pci/drivers_probe", device->address);
	return has_driver(device, driver);
}

// Where a byte of ours lies in the machine's memory; 0 if the kernel doesn't say.
uint64_t physical(const void *address)
{
	uint64_t entry = 0, at = (uintptr_t)address, page = 1ULL << page_shift();
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return 0;
	if (pread(file, &entry, sizeof(entry), at / page * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(file);
	// Bit 63: present; bits 0 to 54: the page's number.
	return entry >> 63 ? (entry & ((1ULL << 55) - 1)) * page + at % page : 0;
}

// A line of /proc/meminfo.
uint64_t memory_kib(const char *name)
{
	char text[4096], *found;

	if (!read_text("/proc/meminfo", text, sizeof(text)))
		return 0;
	found = strstr(text, name);
	return found ? strtoull(found + strlen(name) + 1, NULL, 10) : 0;
}

unsigned page_shift(void)
{
	return __builtin_ctzl(sysconf(_SC_PAGESIZE));
}

bool is_power8(void)
{
	static char text[4096];

	return read_text("/proc/cpuinfo", text, sizeof(text)) && strstr(text, "POWER8");
}

// PHB3 has 4K, 64K, 16M and 256M, its successors 4K, 64K, 2M and 1G.
uint64_t bridge_page_sizes(void)
{
	return is_power8() ? 0x11011000 : 0x40211000;
}

unsigned large_page_shift(void)
{
	return is_power8() ? 24 : 21;
}

// 4K, 64K, 2M, 1G: one of four texts that live on.
char *size_text(unsigned shift)
{
	static char texts[4][16];
	static unsigned next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof(texts[0]), "%llu%c", 1ULL << shift % 10, "?KMGTPE"[shift / 10]);
	return text;
}
