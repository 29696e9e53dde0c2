// The guest: real mode, little-endian, loaded at 0. It reports with hypercalls that the kernel doesn't know, so that they
// end KVM_RUN: r3 = number, r4… = what there is to say. r31 tells the host what it did last.
#include "guest.h"

	// An exception that nobody expects: say which.
	.macro	fault, vector
	.org	guest_code + \vector
	li	%r4, \vector
	li	%r3, 0
	ori	%r3, %r3, REPORT_FAULT
	sc	1
	.endm

	.section .rodata
	.globl guest_code, guest_code_end
	.balign 8
guest_code:
	.irp	vector, 0x100, 0x200, 0x300, 0x380, 0x400, 0x480
	fault	\vector
	.endr

	// External interrupt: take it from the interrupt controller, finish it, report both.
	.org	guest_code + 0x500
	li	%r3, H_XIRR
	sc	1
	mr	%r30, %r4
	li	%r3, H_EOI
	sc	1
	mr	%r5, %r3
	mr	%r4, %r30
	li	%r3, 0
	ori	%r3, %r3, REPORT_INTERRUPT
	sc	1
	// The host set how to go on.
	cmpldi	%r31, PHASE_SPIN
	beq	spin
	cmpldi	%r31, PHASE_CEDE
	beq	cede
0:	b	0b

	.irp	vector, 0x600, 0x700, 0x800
	fault	\vector
	.endr

	// The decrementer runs out every few seconds. r29 is its own.
	.org	guest_code + 0x900
	lis	%r29, 0x7fff
	mtdec	%r29
	rfid

	.irp	vector, 0xa00, 0xc00, 0xd00, 0xf00, 0xf20, 0xf40, 0xf60, 0xf80
	fault	\vector
	.endr

	// Sums 1 to 100, by way of memory; then stores where there is none.
	.org	guest_code + GUEST_START
	li	%r6, 100
	mtctr	%r6
	li	%r4, 0
	li	%r7, 0
	lis	%r8, GUEST_SCRATCH >> 16
0:	addi	%r7, %r7, 1
	add	%r4, %r4, %r7
	std	%r4, 0(%r8)
	ld	%r4, 0(%r8)
	bdnz	0b
	li	%r3, 0
	ori	%r3, %r3, REPORT_SUM
	sc	1
	lis	%r8, GUEST_HOLE >> 16
	lis	%r4, 0x1234
	ori	%r4, %r4, 0x5678
	stw	%r4, 8(%r8)
	lwz	%r4, 16(%r8)
	li	%r3, 0
	ori	%r3, %r3, REPORT_LOADED
	sc	1

	// Let all priorities through, and say so.
	li	%r3, H_CPPR
	li	%r4, 0xff
	sc	1
	li	%r31, PHASE_SPIN
	li	%r3, 0
	ori	%r3, %r3, REPORT_READY
	sc	1

	// Interrupts on; wait busily, so that the one that comes finds the vCPU running.
spin:	mfmsr	%r5
	ori	%r5, %r5, 0x8000
	mtmsrd	%r5, 1
0:	b	0b

	// Give the CPU away, which turns interrupts on; the one that comes finds the vCPU asleep.
cede:	li	%r3, H_CEDE
	sc	1
	b	cede
guest_code_end:
