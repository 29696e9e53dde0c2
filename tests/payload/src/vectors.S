# i64 opal_call_vectors(args: &[u64; 8], token, base, entry, memory: &mut [u128; 65])
# Fills VSR0-63 (FPRs and vector registers) from `memory`, calls OPAL with FP, VEC and VSX on, and stores them back.
# The caller compares: an OPAL call must leave all of them as they were.
    .section .text.opal_call_vectors, "ax"
    .globl opal_call_vectors
opal_call_vectors:
    mflr  %r0
    std   %r0, 16(%r1)
    stdu  %r1, -192(%r1)
    std   %r31, 128(%r1)
    std   %r30, 136(%r1)
    std   %r29, 144(%r1)
    std   %r2, 152(%r1)
    mr    %r31, %r7
    mfmsr %r30
    oris  %r0, %r30, 0x0280     # VEC, VSX
    ori   %r0, %r0, 0x2000      # FP
    mtmsrd %r0
    isync
    .set  n, 0
    .rept 64
    li    %r0, n * 16
    .if n < 32
    .long 0x7c000698 | (n << 21) | (31 << 16)           # lxvd2x vs<n>, r31, r0 (XT < 32)
    .else
    .long 0x7c000699 | ((n - 32) << 21) | (31 << 16)    # lxvd2x, XT >= 32
    .endif
    .set  n, n + 1
    .endr
    mtctr %r6
    mr    %r0, %r4
    mr    %r11, %r3
    mr    %r2, %r5
    ld    %r3, 0(%r11)
    ld    %r4, 8(%r11)
    ld    %r5, 16(%r11)
    ld    %r6, 24(%r11)
    ld    %r7, 32(%r11)
    ld    %r8, 40(%r11)
    ld    %r9, 48(%r11)
    ld    %r10, 56(%r11)
    bctrl
    .set  n, 0
    .rept 64
    li    %r0, n * 16
    .if n < 32
    .long 0x7c000798 | (n << 21) | (31 << 16)           # stxvd2x vs<n>, r31, r0
    .else
    .long 0x7c000799 | ((n - 32) << 21) | (31 << 16)
    .endif
    .set  n, n + 1
    .endr
    mtmsrd %r30
    isync
    ld    %r2, 152(%r1)
    ld    %r29, 144(%r1)
    ld    %r30, 136(%r1)
    ld    %r31, 128(%r1)
    addi  %r1, %r1, 192
    ld    %r0, 16(%r1)
    mtlr  %r0
    blr
