#include "tests/emulation/avx_vnni.h"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

namespace anybit {
namespace {

struct DotProduct {
  int sum, left, right;  // ymm registers
  bool bytes;            // u8 by s8, or s16 by s16
};

// An instruction and the jump that replaces it have the same size, which is what makes this simple.
constexpr int kSize = 5;

// The instruction at `code`, if it is one of ours: a VEX prefix of three bytes, opcode, registers.
bool Decode(const uint8_t* code, DotProduct* out) {
  const bool vex_256_66_0f38 = code[0] == 0xc4 && (code[1] & 0x1f) == 2 && (code[2] & 0x87) == 5;
  if (!vex_256_66_0f38 || (code[3] != 0x50 && code[3] != 0x52) || code[4] < 0xc0) return false;
  const int not_r = code[1] >> 7, not_b = code[1] >> 5 & 1;
  *out = {.sum = (1 - not_r) * 8 + (code[4] >> 3 & 7),
          .left = 15 - (code[2] >> 3 & 15),
          .right = (1 - not_b) * 8 + (code[4] & 7),
          .bytes = code[3] == 0x50};
  return true;
}

// Writes AVX2 instructions, 256 bits wide.
class Writer {
 public:
  explicit Writer(uint8_t* at) : at_(at) {}

  void MultiplyWords(int to, int a, int b) { Registers(1, 0xf5, to, a, b); }  // vpmaddwd
  void Add(int to, int a, int b) { Registers(1, 0xfe, to, a, b); }            // vpaddd
  void ShiftWordsLeft(int to, int from) { Shift(6, to, from); }               // vpsllw $8
  void ShiftWordsRight(int to, int from) { Shift(2, to, from); }              // vpsrlw $8
  void ShiftSignedWordsRight(int to, int from) { Shift(4, to, from); }        // vpsraw $8
  void Store(int slot, int from) { Stack(0x7f, from, slot); }                 // vmovdqu
  void Load(int to, int slot) { Stack(0x6f, to, slot); }

  void Jump(const uint8_t* target) {
    const int32_t distance = static_cast<int32_t>(target - (at_ + kSize));
    Byte(0xe9);
    std::memcpy(at_, &distance, sizeof(distance));
    at_ += sizeof(distance);
  }

  uint8_t* end() const { return at_; }

 private:
  void Byte(int byte) { *at_++ = static_cast<uint8_t>(byte); }

  void Vex(int prefix, int opcode, int reg, int extra, int rm) {
    Byte(0xc4);
    Byte((reg < 8 ? 0x80 : 0) | 0x40 | (rm < 8 ? 0x20 : 0) | 1);
    Byte((15 - extra) << 3 | 4 | prefix);
    Byte(opcode);
  }

  void Registers(int prefix, int opcode, int reg, int extra, int rm) {
    Vex(prefix, opcode, reg, extra, rm);
    Byte(0xc0 | (reg & 7) << 3 | (rm & 7));
  }

  void Shift(int kind, int to, int from) {
    Registers(1, 0x71, kind, to, from);
    Byte(8);
  }

  // Below the 128 bytes under the stack pointer that a function may use unasked.
  void Stack(int opcode, int reg, int slot) {
    const int32_t offset = -128 - 32 * (slot + 1);
    Vex(2, opcode, reg, 0, 4);
    Byte(0x84 | (reg & 7) << 3);
    Byte(0x24);
    std::memcpy(at_, &offset, sizeof(offset));
    at_ += sizeof(offset);
  }

  uint8_t* at_;
};

void WriteReplacement(const DotProduct& dot, const uint8_t* next, Writer* w) {
  int free[3];
  for (int i = 0, found = 0; found < 3; ++i) {
    if (i != dot.sum && i != dot.left && i != dot.right) free[found++] = i;
  }
  const auto [x, y, z] = free;
  for (int i = 0; i < 3; ++i) w->Store(i, free[i]);
  if (dot.bytes) {
    // The even bytes, as words, then the odd ones.
    w->ShiftWordsLeft(x, dot.left);
    w->ShiftWordsRight(x, x);
    w->ShiftWordsLeft(y, dot.right);
    w->ShiftSignedWordsRight(y, y);
    w->MultiplyWords(x, x, y);
    w->ShiftWordsRight(y, dot.left);
    w->ShiftSignedWordsRight(z, dot.right);
    w->MultiplyWords(y, y, z);
    w->Add(x, x, y);
  } else {
    w->MultiplyWords(x, dot.left, dot.right);
  }
  w->Add(dot.sum, dot.sum, x);
  for (int i = 0; i < 3; ++i) w->Load(free[i], i);
  w->Jump(next);
}

// Where replacements go; the kernels have some hundred instructions to replace.
constexpr int kReplacementBytes = 160, kSpace = 1 << 20;
uint8_t* space = nullptr;
int used = 0;

void OnIllegalInstruction(int, siginfo_t*, void* context) {
  uint8_t* code = reinterpret_cast<uint8_t*>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
  DotProduct dot;
  if (!Decode(code, &dot) || used + kReplacementBytes > kSpace) {
    std::signal(SIGILL, SIG_DFL);  // it comes again at once, and ends the process
    return;
  }
  Writer replacement(space + used);
  WriteReplacement(dot, code + kSize, &replacement);
  // A page boundary may lie within the instruction.
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first = reinterpret_cast<uintptr_t>(code) / page * page;
  if (mprotect(reinterpret_cast<void*>(first), 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) std::abort();
  Writer(code).Jump(space + used);
  used = static_cast<int>(replacement.end() - space);
}

}  // namespace

bool ReplaceAvxVnni() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2")) return false;
  if (space != nullptr) return true;
  // A jump reaches 2 GiB: near our own code, which lies behind much unused address space.
  const uintptr_t near = (reinterpret_cast<uintptr_t>(&ReplaceAvxVnni) - (uintptr_t{1} << 30)) >> 21 << 21;
  void* const mapped = mmap(reinterpret_cast<void*>(near), kSpace, PROT_READ | PROT_WRITE | PROT_EXEC,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (mapped == MAP_FAILED) return false;
  space = static_cast<uint8_t*>(mapped);
  struct sigaction action = {};
  action.sa_sigaction = OnIllegalInstruction;
  action.sa_flags = SA_SIGINFO;
  return sigaction(SIGILL, &action, nullptr) == 0;
}

}  // namespace anybit
