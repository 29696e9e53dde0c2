// Virtual machines through KVM's interface, without QEMU.
#include "kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

extern const uint8_t guest_code[], guest_code_end[];

// 64-bit, machine checks on, little-endian; no translation.
#define GUEST_MSR 0x8000000000001001UL

void vm_make(struct vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = GUEST_MEMORY };

	vm->system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	CHECK(vm->system >= 0, "/dev/kvm: %s", strerror(errno));
	vm->fd = ioctl(vm->system, KVM_CREATE_VM, 0);
	CHECK(vm->fd >= 0, "KVM_CREATE_VM: %s", strerror(errno));
	vm->memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	vm->huge = vm->memory != MAP_FAILED || getpagesize() > 4096;
	if (vm->memory == MAP_FAILED)
		vm->memory = mmap(NULL, GUEST_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(vm->memory != MAP_FAILED, "no memory: %s", strerror(errno));
	memcpy(vm->memory, guest_code, guest_code_end - guest_code);
	region.userspace_addr = (uintptr_t)vm->memory;
	CHECK(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) == 0, "KVM_SET_USER_MEMORY_REGION: %s",
	      strerror(errno));
}

void vm_close(struct vm *vm)
{
	close(vm->fd);
	close(vm->system);
	munmap(vm->memory, GUEST_MEMORY);
}

void vcpu_make(const struct vm *vm, struct vcpu *vcpu, unsigned number)
{
	int size = ioctl(vm->system, KVM_GET_VCPU_MMAP_SIZE, 0);

	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, number);
	CHECK(vcpu->fd >= 0, "KVM_CREATE_VCPU %u: %s", number, strerror(errno));
	vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	CHECK(vcpu->run != MAP_FAILED, "the vCPU's page: %s", strerror(errno));
	enable(vcpu->fd, KVM_CAP_PPC_PAPR, 0, 0);
}

void vcpu_close(struct vcpu *vcpu)
{
	munmap(vcpu->run, getpagesize());
	close(vcpu->fd);
}

static void with_registers(const struct vcpu *vcpu, void (*change)(struct kvm_regs *, unsigned, uint64_t),
			   unsigned number, uint64_t value)
{
	struct kvm_regs registers;

	CHECK(ioctl(vcpu->fd, KVM_GET_REGS, &registers) == 0, "KVM_GET_REGS: %s", strerror(errno));
	change(&registers, number, value);
	CHECK(ioctl(vcpu->fd, KVM_SET_REGS, &registers) == 0, "KVM_SET_REGS: %s", strerror(errno));
}

static void set_start(struct kvm_regs *registers, unsigned unused, uint64_t address)
{
	(void)unused;
	registers->pc = address;
	registers->msr = GUEST_MSR;
}

static void set_register(struct kvm_regs *registers, unsigned number, uint64_t value)
{
	registers->gpr[number] = value;
}

void vcpu_start_at(const struct vcpu *vcpu, uint64_t address)
{
	uint64_t lpcr = 0;
	struct kvm_one_reg reg = { .id = KVM_REG_PPC_LPCR_64, .addr = (uintptr_t)&lpcr };

	// Interrupts come little-endian too.
	CHECK(ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) == 0, "LPCR: %s", strerror(errno));
	lpcr |= 1UL << 25;
	CHECK(ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) == 0, "LPCR: %s", strerror(errno));
	with_registers(vcpu, set_start, 0, address);
}

void vcpu_register(const struct vcpu *vcpu, unsigned number, uint64_t value)
{
	with_registers(vcpu, set_register, number, value);
}

void vcpu_run(const struct vcpu *vcpu)
{
	int result;

	do
		result = ioctl(vcpu->fd, KVM_RUN, 0);
	while (result < 0 && errno == EINTR);
	CHECK(result >= 0, "KVM_RUN: %s", strerror(errno));
}

void vcpu_run_to_report(const struct vcpu *vcpu, uint64_t number)
{
	vcpu_run(vcpu);
	CHECK(vcpu->run->exit_reason == KVM_EXIT_PAPR_HCALL && vcpu->run->papr_hcall.nr == number,
	      "exit %u, hypercall %#lx (%#lx), instead of hypercall %#lx", vcpu->run->exit_reason,
	      vcpu->run->papr_hcall.nr, vcpu->run->papr_hcall.args[0], number);
}

int device_make(const struct vm *vm, unsigned type)
{
	struct kvm_create_device device = { .type = type };

	CHECK(ioctl(vm->fd, KVM_CREATE_DEVICE, &device) == 0, "KVM_CREATE_DEVICE %u: %s", type, strerror(errno));
	return device.fd;
}

static int attribute(int device, unsigned long request, uint32_t group, uint64_t attribute, const void *value)
{
	struct kvm_device_attr attr = { .group = group, .attr = attribute, .addr = (uintptr_t)value };

	return ioctl(device, request, &attr) == 0 ? 0 : errno;
}

int device_set(int device, uint32_t group, uint64_t which, const void *value)
{
	return attribute(device, KVM_SET_DEVICE_ATTR, group, which, value);
}

int device_get(int device, uint32_t group, uint64_t which, void *value)
{
	return attribute(device, KVM_GET_DEVICE_ATTR, group, which, value);
}

void enable(int fd, uint32_t capability, uint64_t first, uint64_t second)
{
	struct kvm_enable_cap cap = { .cap = capability, .args = { first, second } };

	CHECK(ioctl(fd, KVM_ENABLE_CAP, &cap) == 0, "KVM_ENABLE_CAP %u: %s", capability, strerror(errno));
}
