# First instructions, the move to the top of memory, and the exception vectors of boot time.
#
# QEMU starts every thread at image offset 0x10 with r3 = flattened device tree, real mode, big-endian, MSR[ME] = 0
# (reference/platform-qemu-powernv.md section 1.2). One thread wins the lottery and boots, the others wait until
# `release_secondaries` names the moved image.

    .macro LOAD_OFFSET register, symbol
    lis   \register, (\symbol - _start)@ha
    addi  \register, \register, (\symbol - _start)@l
    .endm

    .section .head, "ax"
    .globl _start
_start:
    .ascii "OPALITE\0"
boot_lottery:
    .long 0                     # becomes 1 when a thread has won
    .long 0
    .org _start + 0x10
    b     boot
    .org _start + 0x18
    .globl secondary_home
secondary_home:
    .quad 0                     # address of the moved image, for waiting threads
    .globl exception_handler
exception_handler:
    .quad 0                     # address of the Rust function that reports an exception
exception_stack:
    .quad 0                     # top of the stack that it runs on
exception_toc:
    .quad 0

# Vectors. They serve only until the kernel has copied itself over them.
    .macro vector address
    .org _start + \address
    mtsprg1 %r1
    mflr  %r1
    mtsprg2 %r1
    bl    exception
    .endm
    .irp address, 0x100, 0x200, 0x300, 0x380, 0x400, 0x480, 0x500, 0x600, 0x700, 0x800, 0x900, 0x980, 0xa00
    vector \address
    .endr

# At a reset QEMU from version 11 on describes the memory for a dump where skiboot looks for that: in 256 bytes of the image
# (PROC_DUMP_AREA of QEMU's hw/ppc/pnv_mpipl.h and skiboot's mem-map.h). What the image has there xtask puts here too.
    .set overwritten, 0x10300
    .org _start + 0xb00
kept:
    .space 256

    .irp address, 0xc00, 0xd00, 0xe00, 0xe20, 0xe40, 0xe60, 0xe80, 0xea0, 0xf00, 0xf20, 0xf40, 0xf60, 0xf80
    vector \address
    .endr

# Reports an exception and never returns: exception(vector, &registers).
    .org _start + 0x1000
exception:
    mflr  %r1
    mtsprg3 %r1                 # which vector (address after its bl)
    ld    %r1, exception_stack - _start(0)
    stdu  %r1, -320(%r1)
    .irp n, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    std   %r\n, (32 + 8 * \n)(%r1)
    .endr
    mfsprg1 %r4
    std   %r4, (32 + 8 * 1)(%r1)
    mfsprg3 %r3
    mfsrr0 %r5
    mfsrr1 %r6
    mfspr %r7, 314              # HSRR0
    mfspr %r8, 315              # HSRR1
    mfspr %r9, 19               # DAR
    mfsprg2 %r10                # LR of the interrupted code
    addi  %r4, %r1, 32
    ld    %r2, exception_toc - _start(0)
    ld    %r12, exception_handler - _start(0)
    mtctr %r12
    bctrl
    b     .

# --- boot ---------------------------------------------------------------------------------------------------------
boot:
    bcl   20, 31, 1f
1:  mflr  %r30
    addi  %r30, %r30, _start - 1b       # r30 = where the image is
    mr    %r31, %r3                     # r31 = device tree
    mfmsr %r4
    ori   %r4, %r4, 0x1002              # ME, RI: a stray access shall report, not stop the machine
    mtsrr1 %r4
    addi  %r5, %r30, 2f - _start
    mtsrr0 %r5
    rfid
2:  addi  %r5, %r30, boot_lottery - _start
3:  lwarx %r6, 0, %r5
    cmpwi %r6, 0
    bne   wait_for_home
    li    %r6, 1
    stwcx. %r6, 0, %r5
    bne-  3b
    isync

    # Put back what QEMU wrote over. Nothing there ran yet.
    addi  %r5, %r30, kept - _start
    addis %r6, %r30, overwritten@ha
    addi  %r6, %r6, overwritten@l
    li    %r7, 256 / 8
    mtctr %r7
    li    %r7, 0
5:  ldx   %r8, %r5, %r7
    stdx  %r8, %r6, %r7
    addi  %r7, %r7, 8
    bdnz  5b
    sync
    icbi  0, %r6
    isync

    # A C environment where we are: bss, relocations, stack, TOC.
    mr    %r3, %r30
    bl    set_up_image
    # Where to live? r3 = find_home(device tree)
    mr    %r3, %r31
    bl    {find_home}
    nop
    mr    %r29, %r3                     # r29 = new home
    # Copy what is loaded, then make that copy a running image.
    LOAD_OFFSET %r5, _load_end
    srdi  %r5, %r5, 3
    mtctr %r5
    li    %r6, 0
4:  ldx   %r7, %r30, %r6
    stdx  %r7, %r29, %r6
    addi  %r6, %r6, 8
    bdnz  4b
    mr    %r3, %r29
    subf  %r10, %r30, %r29
    bl    set_up_image_only
    sync
    icbi  0, %r29
    isync
    # Go there.
    LOAD_OFFSET %r5, at_home
    add   %r5, %r5, %r29
    mtctr %r5
    bctr
at_home:
    mr    %r30, %r29
    mr    %r3, %r30
    bl    set_stack_and_toc
    mr    %r3, %r31
    mr    %r4, %r30
    bl    boot_main
    nop
    b     .

# r3 = image base. Clears bss, relocates, sets r1 and r2. Clobbers r4-r11, ctr.
set_up_image:
    mflr  %r11
    mr    %r10, %r3
    bl    set_up_image_only
    bl    set_stack_and_toc
    mtlr  %r11
    blr

# r3 = image base, r10 = its distance from where the image's addresses point (first from 0, where it is linked).
# Clears bss and adds that distance to each address, which .relr.dyn names: an even entry is the offset of one, an
# odd entry a bitmap of which of the next 63 doublewords are addresses too. Clobbers r4-r9, ctr.
set_up_image_only:
    LOAD_OFFSET %r4, _bss_start
    LOAD_OFFSET %r5, _bss_end
    subf  %r5, %r4, %r5
    srdi  %r5, %r5, 7                   # cache blocks of 128 bytes: linker.ld aligns both ends
    mtctr %r5
    add   %r4, %r4, %r3
1:  dcbz  0, %r4
    addi  %r4, %r4, 128
    bdnz  1b
    LOAD_OFFSET %r4, _relr_start
    LOAD_OFFSET %r5, _relr_end
    add   %r4, %r4, %r3
    add   %r5, %r5, %r3
2:  cmpld %r4, %r5
    bgelr
    ld    %r7, 0(%r4)
    addi  %r4, %r4, 8
    andi. %r8, %r7, 1
    bne   3f
    add   %r6, %r7, %r3
    ld    %r8, 0(%r6)
    add   %r8, %r8, %r10
    std   %r8, 0(%r6)
    addi  %r6, %r6, 8
    b     2b
3:  mr    %r9, %r6
    addi  %r6, %r6, 63 * 8
4:  srdi. %r7, %r7, 1
    beq   2b
    andi. %r8, %r7, 1
    beq   5f
    ld    %r8, 0(%r9)
    add   %r8, %r8, %r10
    std   %r8, 0(%r9)
5:  addi  %r9, %r9, 8
    b     4b

# r3 = image base. Clobbers r4.
set_stack_and_toc:
    LOAD_OFFSET %r2, .TOC.
    add   %r2, %r2, %r3
    LOAD_OFFSET %r1, _boot_stack_top
    add   %r1, %r1, %r3
    li    %r4, 0
    stdu  %r4, -64(%r1)
    blr

# --- other threads --------------------------------------------------------------------------------------------------
wait_for_home:
    or    %r31, %r31, %r31              # very low priority
    ld    %r5, secondary_home - _start(%r30)
    cmpdi %r5, 0
    beq   wait_for_home
    lwsync                              # what was stored before, and its code
    isync
    or    %r2, %r2, %r2                 # normal priority
    mr    %r30, %r5
    LOAD_OFFSET %r6, secondary_at_home
    add   %r6, %r6, %r30
    mtctr %r6
    bctr
secondary_at_home:
    LOAD_OFFSET %r2, .TOC.
    add   %r2, %r2, %r30
    # The thread's own stack, from its PIR.
    mfspr %r3, 1023
    addis %r4, %r2, {cpu_areas}@toc@ha
    ld    %r4, {cpu_areas}@toc@l(%r4)
    sldi  %r5, %r3, 3
    ldx   %r4, %r4, %r5
    cmpdi %r4, 0
5:  beq   5b                            # not in the device tree: stays here for ever
    ld    %r1, {cpu_stack}(%r4)
    mr    %r3, %r4
    li    %r5, 0
    stdu  %r5, -64(%r1)
    bl    {secondary_main}
    nop
    # r3 = address to start at, r4 = PIR
    mtctr %r3
    mr    %r3, %r4
    bctr
