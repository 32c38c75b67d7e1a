// FNV-1a, 64 bits: a stable hash that tells runs and data apart. It is no protection against intent.
//
// Source: Fowler, Noll and Vo, as in the IETF draft "The FNV Non-Cryptographic Hash Algorithm".
#ifndef ANYBIT_BASE_HASH_H_
#define ANYBIT_BASE_HASH_H_

#include <cstdint>
#include <string_view>

namespace anybit {

// The hash of no bytes.
inline constexpr uint64_t kFnv1aOfNothing = 0xcbf29ce484222325;

// The hash of all bytes that gave `hash`, and of `bytes` after them.
constexpr uint64_t Fnv1a(std::string_view bytes, uint64_t hash = kFnv1aOfNothing) {
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

// The same of the eight bytes of `word`, the lowest first.
constexpr uint64_t Fnv1aOfWord(uint64_t word, uint64_t hash = kFnv1aOfNothing) {
  for (int shift = 0; shift < 64; shift += 8) hash = (hash ^ ((word >> shift) & 0xff)) * 0x100000001b3;
  return hash;
}

}  // namespace anybit

#endif  // ANYBIT_BASE_HASH_H_
