// HTTP/2 frames as a test writes and reads them.
#ifndef ANYBIT_SERVER_FRONT_TESTING_FRAMES_H_
#define ANYBIT_SERVER_FRONT_TESTING_FRAMES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/front/header_block.h"
#include "server/front/http2_frame.h"

namespace anybit::server::testing {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Frame {
  FrameHeader head;
  std::string payload;
};

// The whole frames at the beginning of `bytes`.
inline std::vector<Frame> FramesOf(absl::string_view bytes) {
  std::vector<Frame> frames;
  while (bytes.size() >= kFrameHeaderBytes) {
    const FrameHeader head = ParseFrameHeader(bytes.data());
    if (bytes.size() < kFrameHeaderBytes + head.length) break;
    frames.push_back({head, std::string(bytes.substr(kFrameHeaderBytes, head.length))});
    bytes.remove_prefix(kFrameHeaderBytes + head.length);
  }
  return frames;
}

inline Headers Decode(HeaderDecoder& decoder, absl::string_view block) {
  HeaderList list;
  Headers headers;
  if (!decoder.Decode(block, 1 << 20, list)) return {{"error", "not a header block"}};
  for (size_t i = 0; i < list.size(); ++i) headers.emplace_back(list.name(i), list.value(i));
  return headers;
}

// The value of a header, or "" without it.
inline std::string ValueOf(const Headers& headers, absl::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

// Writes what one client sends.
class ClientFrames {
 public:
  static std::string Begin() {
    std::string bytes(kPreface);
    AppendFrame(bytes, FrameType::kSettings, 0, 0, "");
    return bytes;
  }

  std::string HeaderBlock(const Headers& headers) {
    HeaderList list;
    for (const auto& [name, value] : headers) list.Add(name, value);
    return std::string(encoder_.Encode(list, ""));
  }

  std::string HeadersFrame(uint32_t stream, const Headers& headers, uint8_t flags = kEndHeaders) {
    std::string bytes;
    AppendFrame(bytes, FrameType::kHeaders, flags, stream, HeaderBlock(headers));
    return bytes;
  }

  static std::string DataFrame(uint32_t stream, absl::string_view data, uint8_t flags = kEndStream) {
    std::string bytes;
    AppendFrame(bytes, FrameType::kData, flags, stream, data);
    return bytes;
  }

  // A whole call; `timeout` empty: none.
  std::string Call(uint32_t stream, absl::string_view path, absl::string_view timeout,
                   absl::string_view message = "message") {
    Headers headers = {{":method", "POST"}, {":scheme", "http"}, {":path", std::string(path)}, {"te", "trailers"}};
    if (!timeout.empty()) headers.emplace_back("grpc-timeout", std::string(timeout));
    return HeadersFrame(stream, headers) + DataFrame(stream, message);
  }

 private:
  HeaderEncoder encoder_;
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_FRONT_TESTING_FRAMES_H_
