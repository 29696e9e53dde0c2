// Proves DMA windows from Linux's user space: two edu devices and an NVMe disk, driven through VFIO with an sPAPR TCE
// container of version 2. One line per case goes to the kernel log; `VFIO … total` is the last.
//
// Needs: root; the modules vfio-pci, vfio_iommu_spapr_tce and nvme; edu devices with dma_mask opened, each in a group of
// its own; a disk that may be written to.
#include "proof.h"

#define EDU 0x123411e8
#define NVME_CLASS 0x010802

struct pci edu_pci[2];
struct pci nvme_pci;

static void check_devices(const void *unused)
{
	int edus = find_devices(EDU, 0, edu_pci, 2), disks = find_devices(0, NVME_CLASS, &nvme_pci, 1);

	(void)unused;
	CHECK(edus == 2 && disks == 1, "%d edu devices and %d disks instead of 2 and 1", edus, disks);
	pass("groups %d, %d and %d, kernel pages of %s", edu_pci[0].group, edu_pci[1].group, nvme_pci.group,
	     size_text(page_shift()));
}

int main(void)
{
	if (run_case(check_devices, NULL, "devices")) {
		session("before", before_vfio);
		session_to_be_killed("one", one_device);
		session("two", two_containers);
		session("shared", one_container_for_two);
		session("after", after_vfio);
	}
	return total() != 0;
}
