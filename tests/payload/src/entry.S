# Start of the payload and its way into OPAL.

    .section .head, "ax"
    .globl _start
_start:
    # r3 = device tree, r8 = OPAL base, r9 = OPAL entry; big-endian real mode. A firmware may set MSR[LE] off only.
    bcl   20, 31, 1f
1:  mflr  %r30
    addis %r2, %r30, .TOC. - 1b@ha
    addi  %r2, %r2, .TOC. - 1b@l
    mr    %r29, %r3
    mr    %r28, %r8
    mr    %r27, %r9
    # MSR[ME, RI]: a stray access shall reach our vectors.
    mfmsr %r4
    ori   %r4, %r4, 0x1002
    mtsrr1 %r4
    lis   %r5, 2f@highest
    ori   %r5, %r5, 2f@higher
    sldi  %r5, %r5, 32
    oris  %r5, %r5, 2f@high
    ori   %r5, %r5, 2f@l
    mtsrr0 %r5
    rfid
2:  ld    %r1, stack_top@toc(%r2)
    ld    %r4, bss_start@toc(%r2)
    ld    %r5, bss_end@toc(%r2)
    li    %r6, 0
3:  cmpld %r4, %r5
    bge   4f
    std   %r6, 0(%r4)
    addi  %r4, %r4, 8
    b     3b
4:  stdu  %r6, -128(%r1)
    mr    %r3, %r29
    mr    %r4, %r28
    mr    %r5, %r27
    bl    payload_main
    nop
    b     .

    .section .toc, "aw"
stack_top: .quad _stack_top
bss_start: .quad _bss_start
bss_end:   .quad _bss_end

# i64 opal_call(args: &[u64; 8], token, base, entry, check: &mut [u64; 64])
# Calls OPAL with every preserved register (r14-r31, CR2-CR4, and FPRs / vector registers on request) holding a
# pattern, and stores in `check` what they hold afterwards.
    .section .text.opal_call, "ax"
    .globl opal_call
opal_call:
    mflr  %r0
    std   %r0, 16(%r1)
    mfcr  %r0
    std   %r0, 8(%r1)
    stdu  %r1, -512(%r1)
    .irp n, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    std   %r\n, (128 + 8 * \n)(%r1)
    .endr
    std   %r2, 104(%r1)
    std   %r7, 112(%r1)
    std   %r13, 120(%r1)
    mtctr %r6
    mr    %r0, %r4
    mr    %r11, %r3
    mr    %r2, %r5
    # Patterns.
    .irp n, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li    %r\n, 0x5a00 + \n
    .endr
    lis   %r3, 0x0a5a
    mtcrf 0x38, %r3
    ld    %r3, 0(%r11)
    ld    %r4, 8(%r11)
    ld    %r5, 16(%r11)
    ld    %r6, 24(%r11)
    ld    %r7, 32(%r11)
    ld    %r8, 40(%r11)
    ld    %r9, 48(%r11)
    ld    %r10, 56(%r11)
    mr    %r12, %r2
    # PMC5 counts instructions.
    mfspr %r11, 791
    std   %r11, 96(%r1)
    bctrl
    mfspr %r12, 791
    ld    %r11, 96(%r1)
    subf  %r12, %r11, %r12
    ld    %r11, 112(%r1)
    std   %r12, (8 * 63)(%r11)
    std   %r1, (8 * 1)(%r11)
    .irp n, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    std   %r\n, (8 * \n)(%r11)
    .endr
    mfcr  %r12
    std   %r12, 0(%r11)
    ld    %r2, 104(%r1)
    ld    %r13, 120(%r1)
    .irp n, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ld    %r\n, (128 + 8 * \n)(%r1)
    .endr
    addi  %r1, %r1, 512
    ld    %r0, 8(%r1)
    mtcrf 0xff, %r0
    ld    %r0, 16(%r1)
    mtlr  %r0
    blr

# void rtas_call(block, entry, check: &mut [u64; 33])
# Calls RTAS as LoPAR says, in 32-bit mode, with a pattern in every register that it must preserve, and stores in `check`
# what they hold afterwards; check[0] is the MSR, check[32] the CR.
    .section .text.rtas_call, "ax"
    .globl rtas_call
rtas_call:
    mflr  %r0
    std   %r0, 16(%r1)
    mfcr  %r0
    std   %r0, 8(%r1)
    stdu  %r1, -320(%r1)
    .irp n, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    std   %r\n, (64 + 8 * \n)(%r1)
    .endr
    std   %r2, 48(%r1)
    std   %r5, 56(%r1)
    mtctr %r4
    .irp n, 2, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li    %r\n, 0x5a00 + \n
    .endr
    lis   %r6, 0x0a5a
    mtcrf 0x38, %r6
    mfmsr %r6
    clrldi %r6, %r6, 1          # MSR[SF]
    mtmsrd %r6
    isync
    bctrl
    mfmsr %r6
    li    %r8, 1
    mr    %r7, %r6
    rldimi %r7, %r8, 63, 0
    mtmsrd %r7
    isync
    ld    %r5, 56(%r1)
    std   %r6, 0(%r5)
    .irp n, 1, 2, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    std   %r\n, (8 * \n)(%r5)
    .endr
    mfcr  %r6
    std   %r6, (8 * 32)(%r5)
    ld    %r2, 48(%r1)
    .irp n, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ld    %r\n, (64 + 8 * \n)(%r1)
    .endr
    addi  %r1, %r1, 320
    ld    %r0, 8(%r1)
    mtcrf 0xff, %r0
    ld    %r0, 16(%r1)
    mtlr  %r0
    blr
