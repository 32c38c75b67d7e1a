# What the emulated processor runs instead of a BIOS and a boot loader: from its reset vector straight into a Linux
# kernel that run_emulated has laid into memory, unpacked. It leaves the processor as Linux's 64-bit boot protocol
# (Documentation/x86/boot.rst) wants it: long mode, memory mapped one to one, the code and data selectors 0x10 and 0x18,
# rsi = address of the boot parameters.
#
# A ROM of 64 KiB that ends at 4 GiB, where the processor starts 16 bytes before the end. run_emulated knows IMAGE and
# KERNEL too.

.set IMAGE, 0xfe0000                # the boot parameters, and after them
.set KERNEL, 0x1000000              # the kernel, and somewhere after it the initramfs
.set ROM, 0xffff0000

.text
.code16
start:
  cli
  lgdtl %cs:(gdt_pointer - start)
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $0x08, $(ROM + protected - start)

.code32
protected:
  movl $0x18, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %fs
  movl %eax, %gs
  movl %eax, %ss

  # Bochs 2.7 gives each block of 128 KiB its place in the host's memory when the block is first touched, but has read
  # the whole image into the places from that of the image's first block on. Touched in order, the blocks get those.
  movl $IMAGE, %edi
touch:
  movb (%edi), %al
  addl $0x20000, %edi
  cmpl $0x80000000, %edi            # no image reaches 2 GiB; beyond the memory nothing happens
  jb touch

  movl $0x20, %eax                  # CR4: physical address extension
  movl %eax, %cr4
  movl $(ROM + page_map - start), %eax
  movl %eax, %cr3
  movl $0xc0000080, %ecx            # EFER: long mode
  rdmsr
  orl $0x100, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000000, %eax             # CR0: paging
  movl %eax, %cr0
  ljmpl $0x10, $(ROM + long - start)

.code64
long:
  movl $IMAGE, %esi
  movl $KERNEL, %eax
  jmp *%rax

.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff          # 0x08: code, 32 bits
  .quad 0x00af9b000000ffff          # 0x10: code, 64 bits
  .quad 0x00cf93000000ffff          # 0x18: data
gdt_pointer:
  .word . - gdt - 1
  .long ROM + gdt - start

# The first 4 GiB, each address to itself, in pages of 2 MiB.
.balign 4096
page_map:
  .quad ROM + page_directory_pointers - start + 3
.balign 4096
page_directory_pointers:
  .set gigabyte, 0
  .rept 4
  .quad ROM + page_directories + gigabyte * 4096 - start + 3
  .set gigabyte, gigabyte + 1
  .endr
.balign 4096
page_directories:
  .set page, 0
  .rept 4 * 512
  .quad page * 0x200000 + 0x83
  .set page, page + 1
  .endr

.org 0xfff0
.code16
  jmp start
.org 0x10000
