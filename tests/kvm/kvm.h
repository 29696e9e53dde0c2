// What the parts of the program share. See main.c for what it does.
#ifndef OPALITE_KVM_H
#define OPALITE_KVM_H

#include "guest.h"

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#define GUEST_MEMORY (4UL << 20)

// report.c: a case is a process. It ends with pass, skip or fail; one that hangs or dies has failed.
void case_run(const char *name, void (*body)(void));
void pass(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void doing(const char *format, ...) __attribute__((format(printf, 1, 2))); // said if it hangs
int total(void);
#define CHECK(condition, ...) \
	do { \
		if (!(condition)) \
			fail(__VA_ARGS__); \
	} while (0)

// vm.c: a virtual machine with its memory at 0.
struct vm {
	int system, fd;
	uint8_t *memory;
	bool huge; // Its memory consists of pages larger than 4 KiB.
};
struct vcpu {
	int fd;
	struct kvm_run *run;
};
void vm_make(struct vm *vm);
void vm_close(struct vm *vm);
void vcpu_make(const struct vm *vm, struct vcpu *vcpu, unsigned number);
void vcpu_close(struct vcpu *vcpu);
void vcpu_start_at(const struct vcpu *vcpu, uint64_t address);
void vcpu_run(const struct vcpu *vcpu); // until it exits
void vcpu_run_to_report(const struct vcpu *vcpu, uint64_t number);
void vcpu_register(const struct vcpu *vcpu, unsigned number, uint64_t value);
int device_make(const struct vm *vm, unsigned type);
int device_set(int device, uint32_t group, uint64_t attribute, const void *value);
int device_get(int device, uint32_t group, uint64_t attribute, void *value);
void enable(int fd, uint32_t capability, uint64_t first, uint64_t second);

// The cases.
void vcpu_case(void);
void xics_case(void);
void xive_case(void);
void many_case(void);

#endif
