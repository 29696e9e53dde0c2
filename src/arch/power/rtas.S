# PAPR's door: boot copies this page to where /rtas says that RTAS is. It is the OS's memory.
#
# In:  32-bit big-endian real mode, r3 the address of the argument block, LR the return address (LoPAR, "RTAS calls").
# Out: the same mode; the block holds the results. Preserved: r1, r2, r13-r31, LR, CR2-CR4.
#
# As LoPAR says, the OS makes one RTAS call at a time: the page has room to remember one caller.

    .section .rodata.rtas, "a"
    .globl rtas_page, rtas_page_code, rtas_page_end
    .balign 8
rtas_page:
    .quad 0                             # address of `opal_entry`
    .quad 0                             # token of `rtas-call`
    .set  SAVED_LR, 16
    .quad 0
    .set  SAVED_R2, 24
    .quad 0
rtas_page_code:
    mflr  %r10
    bcl   20, 31, 1f
1:  mflr  %r11
    rlwinm %r11, %r11, 0, 0, 15         # the page begins at a multiple of 64 KiB
    std   %r10, SAVED_LR(%r11)
    std   %r2, SAVED_R2(%r11)
    ld    %r12, 0(%r11)
    ld    %r0, 8(%r11)
    mtctr %r12
    clrldi %r3, %r3, 32
    mfmsr %r9
    li    %r8, 1
    rldimi %r9, %r8, 63, 0              # MSR[SF]
    mtmsrd %r9
    isync
    bctrl
    bcl   20, 31, 2f
2:  mflr  %r11
    rlwinm %r11, %r11, 0, 0, 15
    ld    %r10, SAVED_LR(%r11)
    ld    %r2, SAVED_R2(%r11)
    mtlr  %r10
    mfmsr %r9
    clrldi %r9, %r9, 1
    mtmsrd %r9
    isync
    blr
rtas_page_end:
