# The door through which the OS calls OPAL.
#
# In:  r0 token, r3-r9 arguments, r1 the caller's stack, LR the return address, big-endian real mode
#      (reference/linux-opal-contract.md section 1.5).
# Out: r3 result. Preserved: r1, r13-r31, LR, CR2-CR4, every SPR of the OS; the FP and vector registers are never
#      touched (CR2-CR4 and r14-r31 by the Rust function that serves the call, as its ABI says). Clobbered: r0, r2-r12, CTR, XER, CR0, CR1, CR5-CR7.
#
# Runs on the thread's own stack, found from its PIR. A machine check inside a call may call again: the second
# level has a second stack, a third one is refused with OPAL_INTERNAL_ERROR. The outermost frame is always at the same
# place of memory that began as zero and nobody writes its first doubleword: that ends the back chain.

    .set  FRAME, 192
    .set  ARGS, 64                  # seven doublewords
    .set  SAVED_R1, 128
    .set  SAVED_LR, 136
    .set  SAVED_AREA, 152

    .section .text.opal_entry, "ax"
    .globl opal_entry
    .balign 128
opal_entry:
    mflr  %r10                      # no call has an eighth argument
    bcl   20, 31, 1f
1:  mflr  %r12
    addis %r2, %r12, .TOC. - 1b@ha
    addi  %r2, %r2, .TOC. - 1b@l
    mfspr %r11, 1023                # PIR
    addis %r12, %r2, {cpu_areas}@toc@ha
    ld    %r12, {cpu_areas}@toc@l(%r12)
    sldi  %r11, %r11, 3
    ldx   %r11, %r12, %r11          # r11 = &CpuArea
    lwz   %r12, {cpu_depth}(%r11)
    cmpwi %cr5, %r12, 0
    bne-  %cr5, nested
    li    %r12, 1
    stw   %r12, {cpu_depth}(%r11)
    ld    %r12, {cpu_stack}(%r11)
2:  std   %r1, (SAVED_R1 - FRAME)(%r12)
    addi  %r1, %r12, -FRAME
    std   %r10, SAVED_LR(%r1)
    std   %r11, SAVED_AREA(%r1)
    addis %r10, %r2, {serving}@toc@ha
    ld    %r10, {serving}@toc@l(%r10)
    # An ordinary call is made from here: known token, nobody kept out, no other call interrupted.
    cmpldi %r0, {table_end}
    bge-  slow
    ld    %r12, {quiesce}(%r10)
    cmpdi %r12, 0
    bne-  slow
    bne-  %cr5, slow
    addis %r12, %r2, {table}@toc@ha
    addi  %r12, %r12, {table}@toc@l
    sldi  %r0, %r0, 4
    ldx   %r12, %r12, %r0
    mtctr %r12
    bctrl
    ld    %r11, SAVED_AREA(%r1)
    li    %r12, 0
    # Once the depth is lower, a machine check's call may take this frame.
3:  ld    %r10, SAVED_LR(%r1)
    mtlr  %r10
    ld    %r1, SAVED_R1(%r1)
    stw   %r12, {cpu_depth}(%r11)
    blr
slow:
    std   %r3, (ARGS + 0)(%r1)
    std   %r4, (ARGS + 8)(%r1)
    std   %r5, (ARGS + 16)(%r1)
    std   %r6, (ARGS + 24)(%r1)
    std   %r7, (ARGS + 32)(%r1)
    std   %r8, (ARGS + 40)(%r1)
    std   %r9, (ARGS + 48)(%r1)
    mr    %r3, %r0
    addi  %r4, %r1, ARGS
    lwz   %r5, {cpu_depth}(%r11)
    bl    {dispatch}
    nop
    ld    %r11, SAVED_AREA(%r1)
    lwz   %r12, {cpu_depth}(%r11)
    addi  %r12, %r12, -1
    b     3b
nested:
    cmpwi %r12, 1
    bne-  refused
    li    %r12, 2
    stw   %r12, {cpu_depth}(%r11)
    ld    %r12, {cpu_stack2}(%r11)
    b     2b
refused:
    mtlr  %r10
    li    %r3, -11
    blr
