// AVX-VNNI in terms of AVX2, for tests on processors that lack it: where one of its instructions traps, it is replaced
// by a jump to AVX2 code with the same effect.
//
// Only the form that our kernels have: VEX vpdpbusd and vpdpwssd on whole ymm registers. Emulators do not help here:
// those of Debian 12 have AVX-512's encoding of these instructions only.
#ifndef ANYBIT_TESTS_EMULATION_AVX_VNNI_H_
#define ANYBIT_TESTS_EMULATION_AVX_VNNI_H_

namespace anybit {

// From now on this process, which must have one thread, executes the instructions above. Returns false where the
// processor lacks AVX2. Other illegal instructions end the process as ever.
bool ReplaceAvxVnni();

}  // namespace anybit

#endif  // ANYBIT_TESTS_EMULATION_AVX_VNNI_H_
