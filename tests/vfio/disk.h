// What is on the disk where: written by the host's driver and read under VFIO, and the other way round.
#ifndef DISK_H
#define DISK_H

#include <stdint.h>

#define DISK "/dev/nvme0n1"
#define DISK_BYTES 8192
#define HOST_BLOCK 64ULL
#define OUR_BLOCK 4096ULL
enum writer { BY_HOST = 1, BY_US = 2 };

static inline void disk_pattern(uint8_t *bytes, enum writer writer)
{
	for (uint32_t i = 0; i < DISK_BYTES; i++)
		bytes[i] = (uint8_t)((i * 2654435761U) >> 13) ^ (uint8_t)(writer * 0x5b);
}

#endif
