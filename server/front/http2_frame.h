// HTTP/2's frames (RFC 9113, section 4), as far as the front looks at them.
#ifndef ANYBIT_SERVER_FRONT_HTTP2_FRAME_H_
#define ANYBIT_SERVER_FRONT_HTTP2_FRAME_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace anybit::server {

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

inline constexpr uint8_t kAck = 0x1, kEndStream = 0x1, kEndHeaders = 0x4, kPadded = 0x8, kHasPriority = 0x20;
inline constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr size_t kFrameHeaderBytes = 9;
// Of a payload, as long as the peer has not allowed more.
inline constexpr size_t kMaxPayload = 16 * 1024;

struct FrameHeader {
  uint32_t length = 0;  // of the payload
  FrameType type = FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
};

inline uint32_t ReadNumber(const char* bytes, int size) {
  uint32_t number = 0;
  for (int i = 0; i < size; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

inline void AppendNumber(std::string& to, uint32_t number, int size) {
  for (int i = size - 1; i >= 0; --i) to.push_back(static_cast<char>(number >> 8 * i & 0xff));
}

// `bytes`: kFrameHeaderBytes of them.
inline FrameHeader ParseFrameHeader(const char* bytes) {
  return {.length = ReadNumber(bytes, 3),
          .type = static_cast<FrameType>(bytes[3]),
          .flags = static_cast<uint8_t>(bytes[4]),
          .stream = ReadNumber(bytes + 5, 4) & 0x7fffffff};
}

inline void AppendFrameHeader(std::string& to, const FrameHeader& header) {
  AppendNumber(to, header.length, 3);
  to.push_back(static_cast<char>(header.type));
  to.push_back(static_cast<char>(header.flags));
  AppendNumber(to, header.stream, 4);
}

inline void AppendFrame(std::string& to, FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  AppendFrameHeader(to,
                    {.length = static_cast<uint32_t>(payload.size()), .type = type, .flags = flags, .stream = stream});
  to.append(payload.data(), payload.size());
}

// A frame whose payload is one number of 32 bits: RST_STREAM, WINDOW_UPDATE.
inline void AppendNumberFrame(std::string& to, FrameType type, uint32_t stream, uint32_t number) {
  AppendFrameHeader(to, {.length = 4, .type = type, .stream = stream});
  AppendNumber(to, number, 4);
}

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_HTTP2_FRAME_H_
