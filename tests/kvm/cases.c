// The cases: a vCPU alone, with KVM's XICS on XIVE, with KVM's native XIVE, and machines by the dozen.
#include "kvm.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define SOURCE 0x1100 // An interrupt number of the guest's.
#define PRIORITY 5UL
#define STORED 0x12345678U
#define LOADED 0xabcdef01U

// Runs from the start through the sum and the two accesses to no memory.
static void first_steps(const struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint32_t stored = 0, loaded = LOADED;

	vcpu_start_at(vcpu, GUEST_START);
	vcpu_run_to_report(vcpu, REPORT_SUM);
	CHECK(run->papr_hcall.args[0] == 5050, "the sum of 1 to 100 is said to be %lu", run->papr_hcall.args[0]);
	vcpu_run(vcpu);
	memcpy(&stored, run->mmio.data, sizeof(stored));
	CHECK(run->exit_reason == KVM_EXIT_MMIO && run->mmio.is_write && run->mmio.len == 4 &&
	      run->mmio.phys_addr == GUEST_HOLE + 8 && stored == STORED,
	      "exit %u: address %#lx, value %#x", run->exit_reason, run->mmio.phys_addr, stored);
	vcpu_run(vcpu);
	CHECK(run->exit_reason == KVM_EXIT_MMIO && !run->mmio.is_write && run->mmio.phys_addr == GUEST_HOLE + 16,
	      "exit %u: address %#lx", run->exit_reason, run->mmio.phys_addr);
	memcpy(run->mmio.data, &loaded, sizeof(loaded));
	vcpu_run_to_report(vcpu, REPORT_LOADED);
	CHECK(run->papr_hcall.args[0] == LOADED, "the guest loaded %#lx", run->papr_hcall.args[0]);
}

void vcpu_case(void)
{
	struct vm vm;
	struct vcpu vcpu;

	vm_make(&vm);
	vcpu_make(&vm, &vcpu, 0);
	first_steps(&vcpu);
	pass("summed, stored to and loaded from what is no memory; %s pages", vm.huge ? "large" : "small");
}

// Sends the guest's interrupt after a moment, from another thread: the vCPU runs or sleeps meanwhile.
static void *send(void *argument)
{
	struct kvm_irq_level level = { .irq = SOURCE, .level = 1 };

	usleep(200000);
	if (ioctl(((struct vm *)argument)->fd, KVM_IRQ_LINE, &level) < 0)
		fail("KVM_IRQ_LINE: %s", strerror(errno));
	return NULL;
}

static void expect_interrupt(struct vm *vm, const struct vcpu *vcpu, int round, const char *state)
{
	struct kvm_run *run = vcpu->run;
	pthread_t thread;

	doing("round %d, the vCPU is %s", round, state);
	CHECK(pthread_create(&thread, NULL, send, vm) == 0, "no thread");
	vcpu_run_to_report(vcpu, REPORT_INTERRUPT);
	CHECK(run->papr_hcall.args[0] == (0xff000000UL | SOURCE) && run->papr_hcall.args[1] == 0,
	      "%s: H_XIRR gave %#lx, H_EOI %ld", state, run->papr_hcall.args[0], (long)run->papr_hcall.args[1]);
	pthread_join(thread, NULL);
}

// A source needs the vCPU that it is for.
static void add_source(int xics)
{
	uint64_t source = PRIORITY << KVM_XICS_PRIORITY_SHIFT;
	int error = device_set(xics, KVM_DEV_XICS_GRP_SOURCES, SOURCE, &source);

	CHECK(!error, "KVM_DEV_XICS_GRP_SOURCES: %s", strerror(error));
}

void xics_case(void)
{
	const int rounds = 5;
	struct vm vm;
	struct vcpu vcpu;
	uint64_t source, icp;
	struct kvm_one_reg reg = { .id = KVM_REG_PPC_ICP_STATE, .addr = (uintptr_t)&icp };
	int xics, error;

	vm_make(&vm);
	xics = device_make(&vm, KVM_DEV_TYPE_XICS);
	vcpu_make(&vm, &vcpu, 0);
	enable(vcpu.fd, KVM_CAP_IRQ_XICS, xics, 0);
	add_source(xics);
	first_steps(&vcpu);
	vcpu_run_to_report(&vcpu, REPORT_READY);
	for (int round = 0; round < rounds; round++) {
		// What was last reported decides where the guest goes: the first time it is about to spin.
		if (round)
			vcpu_register(&vcpu, 31, PHASE_SPIN);
		expect_interrupt(&vm, &vcpu, round, "running");
		vcpu_register(&vcpu, 31, PHASE_CEDE);
		expect_interrupt(&vm, &vcpu, round, "asleep");
	}
	CHECK(ioctl(vcpu.fd, KVM_GET_ONE_REG, &reg) == 0, "the vCPU's controller state: %s", strerror(errno));
	error = device_get(xics, KVM_DEV_XICS_GRP_SOURCES, SOURCE, &source);
	CHECK(!error && source >> KVM_XICS_PRIORITY_SHIFT == PRIORITY, "the source's state: %s, %#lx",
	      strerror(error), source);
	pass("%d interrupts found the vCPU running, %d asleep", rounds, rounds);
}

// KVM's native XIVE, without a driver in the guest: its queue gets the event, and everything that save and restore
// need comes back as it was put in.
void xive_case(void)
{
	const uint64_t queue = 2 << 20;
	struct kvm_ppc_xive_eq eq = { .flags = KVM_XIVE_EQ_ALWAYS_NOTIFY, .qshift = 16,
				      .qaddr = queue, .qtoggle = 1 }, seen;
	struct vm vm;
	struct vcpu vcpu;
	uint64_t source = 0, config, state[2];
	struct kvm_one_reg reg = { .id = KVM_REG_PPC_VP_STATE, .addr = (uintptr_t)state };
	volatile uint32_t *entries;
	volatile uint64_t *trigger, *manage;
	size_t page = getpagesize();
	uint8_t *pages;
	int xive, error;

	vm_make(&vm);
	if (!vm.huge)
		skip("a queue of 64 KiB needs pages that are no smaller");
	xive = device_make(&vm, KVM_DEV_TYPE_XIVE);
	vcpu_make(&vm, &vcpu, 0);
	enable(vcpu.fd, KVM_CAP_PPC_IRQ_XIVE, xive, 0);
	first_steps(&vcpu);
	error = device_set(xive, KVM_DEV_XIVE_GRP_SOURCE, SOURCE, &source);
	CHECK(!error, "KVM_DEV_XIVE_GRP_SOURCE: %s", strerror(error));
	error = device_set(xive, KVM_DEV_XIVE_GRP_EQ_CONFIG, PRIORITY, &eq);
	CHECK(!error, "KVM_DEV_XIVE_GRP_EQ_CONFIG: %s", strerror(error));
	config = PRIORITY | 0x77UL << KVM_XIVE_SOURCE_EISN_SHIFT;
	error = device_set(xive, KVM_DEV_XIVE_GRP_SOURCE_CONFIG, SOURCE, &config);
	CHECK(!error, "KVM_DEV_XIVE_GRP_SOURCE_CONFIG: %s", strerror(error));
	// Each source has two pages, of which the first 4 KiB do everything: to trigger it, and to manage it.
	pages = mmap(NULL, (SOURCE + 1) * 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, xive,
		     KVM_XIVE_ESB_PAGE_OFFSET * page);
	CHECK(pages != MAP_FAILED, "the sources' pages: %s", strerror(errno));
	trigger = (uint64_t *)(pages + SOURCE * 2 * page);
	manage = (uint64_t *)(pages + (SOURCE * 2 + 1) * page);
	(void)manage[0xc00 / 8]; // PQ := 00
	entries = (uint32_t *)(vm.memory + queue);
	for (int event = 0; event < 3; event++) {
		trigger[0] = 0;
		for (int tries = 0; !entries[event] && tries < 1000; tries++)
			usleep(1000);
		CHECK(__builtin_bswap32(entries[event]) == (0x80000000 | 0x77), "entry %d of the queue is %#x", event,
		      __builtin_bswap32(entries[event]));
		(void)manage[0]; // EOI
	}
	error = device_set(xive, KVM_DEV_XIVE_GRP_SOURCE_SYNC, SOURCE, NULL);
	CHECK(!error, "KVM_DEV_XIVE_GRP_SOURCE_SYNC: %s", strerror(error));
	error = device_set(xive, KVM_DEV_XIVE_GRP_CTRL, KVM_DEV_XIVE_EQ_SYNC, NULL);
	CHECK(!error, "KVM_DEV_XIVE_EQ_SYNC: %s", strerror(error));
	memset(&seen, 0, sizeof(seen));
	error = device_get(xive, KVM_DEV_XIVE_GRP_EQ_CONFIG, PRIORITY, &seen);
	CHECK(!error && seen.qaddr == queue && seen.qshift == 16 && seen.qtoggle == 1 && seen.qindex == 3,
	      "%s: queue at %#lx, order %u, generation %u, index %u", strerror(error), seen.qaddr, seen.qshift,
	      seen.qtoggle, seen.qindex);
	seen.qindex = 9;
	seen.qtoggle = 0;
	error = device_set(xive, KVM_DEV_XIVE_GRP_EQ_CONFIG, PRIORITY, &seen);
	CHECK(!error, "restoring the queue: %s", strerror(error));
	trigger[0] = 0;
	for (int tries = 0; !entries[9] && tries < 1000; tries++)
		usleep(1000);
	CHECK(__builtin_bswap32(entries[9]) == 0x77, "entry 9 of the restored queue is %#x",
	      __builtin_bswap32(entries[9]));
	CHECK(ioctl(vcpu.fd, KVM_GET_ONE_REG, &reg) == 0, "the VP's state: %s", strerror(errno));
	error = device_set(xive, KVM_DEV_XIVE_GRP_CTRL, KVM_DEV_XIVE_RESET, NULL);
	CHECK(!error, "KVM_DEV_XIVE_RESET: %s", strerror(error));
	pass("events arrive in the queue, its position is seen and restored, VP state %016lx", state[0]);
}

// Each machine takes a block of VPs, interrupt sources and escalations, and gives all of them back.
void many_case(void)
{
	const int machines = 40, vcpus = 2;

	for (int round = 0; round < machines; round++) {
		struct vm vm;
		struct vcpu vcpu[vcpus];
		int xics;

		vm_make(&vm);
		xics = device_make(&vm, KVM_DEV_TYPE_XICS);
		for (int number = 0; number < vcpus; number++) {
			vcpu_make(&vm, &vcpu[number], number);
			enable(vcpu[number].fd, KVM_CAP_IRQ_XICS, xics, number);
		}
		add_source(xics);
		first_steps(&vcpu[round % vcpus]);
		for (int number = 0; number < vcpus; number++)
			vcpu_close(&vcpu[number]);
		close(xics);
		vm_close(&vm);
	}
	pass("%d machines of %d vCPUs, one after another", machines, vcpus);
}
