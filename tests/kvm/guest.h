// What the guest's code and the program share.
#ifndef GUEST_H
#define GUEST_H

#define GUEST_START 0x1000
#define GUEST_SCRATCH 0x20000
#define GUEST_HOLE 0x40000000 // No memory is there.

// PAPR's numbers.
#define H_EOI 0x64
#define H_CPPR 0x68
#define H_XIRR 0x74
#define H_CEDE 0xe0
// Our own, which no kernel knows.
#define REPORT_SUM 0xf100
#define REPORT_LOADED 0xf104
#define REPORT_INTERRUPT 0xf108
#define REPORT_READY 0xf10c
#define REPORT_FAULT 0xf110

#define PHASE_SPIN 1
#define PHASE_CEDE 2

#endif
