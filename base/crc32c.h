// CRC-32C: the cyclic redundancy check with Castagnoli's polynomial, as in iSCSI (RFC 3720, appendix B.4), for formats
// that demand it. Byte by byte: it is meant for records of some hundred bytes.
#ifndef ANYBIT_BASE_CRC32C_H_
#define ANYBIT_BASE_CRC32C_H_

#include <array>
#include <cstdint>
#include <string_view>

namespace anybit {

// The remainders of all bytes, in reflected form.
inline constexpr std::array<uint32_t, 256> kCrc32cOfByte = [] {
  std::array<uint32_t, 256> table = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
    table[byte] = crc;
  }
  return table;
}();

constexpr uint32_t Crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  for (const char byte : bytes) crc = crc >> 8 ^ kCrc32cOfByte[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

}  // namespace anybit

#endif  // ANYBIT_BASE_CRC32C_H_
