// VFIO with an sPAPR TCE container of version 2: the ioctls, as functions that give 0 or an errno.
#include "proof.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int result(int status)
{
	return status < 0 ? errno : 0;
}

int container_open(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0, "/dev/vfio/vfio can't be opened: %s", error_name(errno));
	CHECK(ioctl(fd, VFIO_GET_API_VERSION) == VFIO_API_VERSION, "another version of VFIO");
	CHECK(ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_SPAPR_TCE_v2_IOMMU) == 1, "no VFIO_SPAPR_TCE_v2_IOMMU");
	return fd;
}

// Puts a group into the container; the first one gives the container its kind. Gives the group's descriptor.
int group_join(int container, int number, bool first)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[32];
	int group, error;

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	group = open(path, O_RDWR | O_CLOEXEC);
	CHECK(group >= 0, "%s can't be opened: %s", path, error_name(errno));
	error = result(ioctl(group, VFIO_GROUP_GET_STATUS, &status));
	CHECK(!error && status.flags & VFIO_GROUP_FLAGS_VIABLE, "group %d isn't viable", number);
	error = result(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	CHECK(!error, "GROUP_SET_CONTAINER: %s", error_name(error));
	if (first) {
		error = result(ioctl(container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU));
		CHECK(!error, "SET_IOMMU: %s", error_name(error));
	}
	return group;
}

// Allows a device to answer at its BARs and to access memory.
void device_enable(const struct device *device)
{
	struct vfio_region_info config = { .argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	uint16_t command;

	CHECK(!ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &config), "no config region");
	CHECK(pread(device->fd, &command, 2, config.offset + PCI_COMMAND) == 2, "config space can't be read");
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	CHECK(pwrite(device->fd, &command, 2, config.offset + PCI_COMMAND) == 2, "config space can't be written");
}

// Opens a device with its BAR 0 mapped and its DMA allowed.
void device_open(struct device *device, int container, const struct pci *pci, bool first)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };

	device->group = group_join(container, pci->group, first);
	device->fd = ioctl(device->group, VFIO_GROUP_GET_DEVICE_FD, pci->address);
	CHECK(device->fd >= 0, "GROUP_GET_DEVICE_FD %s: %s", pci->address, error_name(errno));
	device_enable(device);
	CHECK(!ioctl(device->fd, VFIO_DEVICE_GET_REGION_INFO, &bar), "no BAR 0");
	CHECK(bar.flags & VFIO_REGION_INFO_FLAG_MMAP, "BAR 0 can't be mapped");
	device->bar_size = bar.size;
	device->bar = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, device->fd, bar.offset);
	CHECK(device->bar != MAP_FAILED, "mapping BAR 0: %s", error_name(errno));
}

void device_close(struct device *device)
{
	munmap((void *)device->bar, device->bar_size);
	close(device->fd);
	ioctl(device->group, VFIO_GROUP_UNSET_CONTAINER);
	close(device->group);
}

struct window_info container_info(int container)
{
	struct vfio_iommu_spapr_tce_info info = { .argsz = sizeof(info) };
	int error = result(ioctl(container, VFIO_IOMMU_SPAPR_TCE_GET_INFO, &info));

	CHECK(!error, "GET_INFO: %s", error_name(error));
	return (struct window_info){ info.flags, info.dma32_window_start, info.dma32_window_size,
				     info.ddw.max_dynamic_windows_supported, info.ddw.levels, info.ddw.pgsizes };
}

int memory_register(int container, const void *address, uint64_t size)
{
	struct vfio_iommu_spapr_register_memory memory = { sizeof(memory), 0, (uintptr_t)address, size };

	return result(ioctl(container, VFIO_IOMMU_SPAPR_REGISTER_MEMORY, &memory));
}

int memory_unregister(int container, const void *address, uint64_t size)
{
	struct vfio_iommu_spapr_register_memory memory = { sizeof(memory), 0, (uintptr_t)address, size };

	return result(ioctl(container, VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, &memory));
}

int window_create(int container, unsigned shift, uint64_t size, unsigned levels, uint64_t *start)
{
	struct vfio_iommu_spapr_tce_create create = {
		.argsz = sizeof(create), .page_shift = shift, .window_size = size, .levels = levels
	};
	int error = result(ioctl(container, VFIO_IOMMU_SPAPR_TCE_CREATE, &create));

	if (!error && start)
		*start = create.start_addr;
	return error;
}

int window_remove(int container, uint64_t start)
{
	struct vfio_iommu_spapr_tce_remove remove = { .argsz = sizeof(remove), .start_addr = start };

	return result(ioctl(container, VFIO_IOMMU_SPAPR_TCE_REMOVE, &remove));
}

int map(int container, uint64_t bus, const void *address, uint64_t size, unsigned permission)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .vaddr = (uintptr_t)address, .iova = bus, .size = size
	};

	_Static_assert(READ == VFIO_DMA_MAP_FLAG_READ && WRITE == VFIO_DMA_MAP_FLAG_WRITE, "VFIO's numbers");
	map.flags = permission;
	return result(ioctl(container, VFIO_IOMMU_MAP_DMA, &map));
}

int unmap(int container, uint64_t bus, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = bus, .size = size };

	return result(ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap));
}
