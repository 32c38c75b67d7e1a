// A client's bytes before gRPC gets them: whatever comes, gRPC gets whole frames with header blocks that it can read,
// the client's calls are counted once, flow control adds up, and a bounded part of all that waits is held.
//
// An input is a list of steps: a byte that says what happens, with its argument in the six upper bits, and for bytes of
// the client two more with their number.
#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "server/front/call_limit.h"
#include "server/front/header_block.h"
#include "server/front/http2_frame.h"
#include "server/front/refusal.h"
#include "server/front/request_stream.h"
#include "server/front/response_stream.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using anybit::Require;
using anybit::server::CallLimit;
using anybit::server::FrameHeader;
using anybit::server::FrameType;
using anybit::server::FrontRules;
using anybit::server::HeaderDecoder;
using anybit::server::HeaderList;
using anybit::server::RequestStream;
using anybit::server::ResponseStream;

constexpr size_t kMaxHeld = 256 * 1024;

const FrontRules& Rules() {
  static const std::string& refusal = *new std::string(anybit::server::RefusalBlock(
      grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full"), std::chrono::milliseconds(1)));
  static const FrontRules& rules =
      *new FrontRules{.own_methods = {"/o"}, .refused_method = "/i", .refuse = [](anybit::Duration left, bool must) {
                        return must || left < std::chrono::milliseconds(10) ? &refusal : nullptr;
                      }};
  return rules;
}

// Cuts what one side gets into frames.
class FrameReader {
 public:
  template <typename Take>
  void Read(std::string& bytes, Take take) {
    bytes_ += bytes;
    bytes.clear();
    absl::string_view rest = bytes_;
    while (rest.size() >= anybit::server::kFrameHeaderBytes) {
      const FrameHeader head = anybit::server::ParseFrameHeader(rest.data());
      if (rest.size() - anybit::server::kFrameHeaderBytes < head.length) break;
      const bool continues = head.type == FrameType::kContinuation;
      Require(in_block_ == continues && (!continues || head.stream == block_stream_), "no frame cuts a header block");
      if (head.type == FrameType::kHeaders || continues) {
        in_block_ = !head.has(anybit::server::kEndHeaders);
        block_stream_ = head.stream;
      }
      take(head, rest.substr(anybit::server::kFrameHeaderBytes, head.length));
      rest.remove_prefix(anybit::server::kFrameHeaderBytes + head.length);
    }
    bytes_.erase(0, bytes_.size() - rest.size());
  }

 private:
  std::string bytes_;
  bool in_block_ = false;
  uint32_t block_stream_ = 0;
};

class Exchange {
 public:
  void Client(absl::string_view bytes) {
    unread_.append(bytes.data(), bytes.size());
    sent_ += bytes.size();
    TakeUnread();
  }

  // The next of what waits has its turn, after so many milliseconds.
  void Turn(int ms, int calls) {
    now_ += std::chrono::milliseconds(ms);
    calls_ = calls;
    if (requests_.is_waiting())
      (void)requests_.Resume({.now = now_, .calls = calls_, .for_intake = for_intake_, .limit = limit_});
    TakeUnread();
  }

  // The connection is to take no further calls.
  void Leave(bool now) {
    if (now) {
      requests_.LeaveNow();
    } else {
      requests_.Leave();
    }
    Require(!now || requests_.has_left(), "it leaves at once");
    has_left_ = requests_.has_left() && !requests_.is_waiting();
    ReadResponses();
  }

  // gRPC ends a call, acknowledges settings, or sends a message, whole or in two parts.
  void Grpc(int what) {
    std::string frame;
    uint32_t ended = 0;
    const uint32_t stream = open_.empty() ? 1 : *open_.begin();
    switch (what % 4) {
      case 0: anybit::server::AppendFrame(frame, FrameType::kSettings, anybit::server::kAck, 0, ""); break;
      case 1: anybit::server::AppendFrame(frame, FrameType::kData, 0, stream, "message"); break;
      case 2:
        anybit::server::AppendFrame(frame, FrameType::kHeaders, anybit::server::kEndHeaders, stream, "\x88");
        break;
      default:
        anybit::server::AppendFrame(frame, FrameType::kHeaders,
                                    anybit::server::kEndHeaders | anybit::server::kEndStream, stream, "\x88");
        ended = stream;
    }
    const size_t first = what % 8 < 4 ? frame.size() : 5;
    responses_.Take(grpc_rest_ + frame.substr(0, first));
    open_.erase(std::exchange(half_ended_, ended));
    if (first == frame.size()) open_.erase(std::exchange(half_ended_, 0));
    grpc_rest_ = frame.substr(first);
    ReadResponses();
  }

 private:
  void TakeUnread() {
    unread_.erase(
        0, requests_.Take(unread_, now_, {.now = now_, .calls = calls_, .for_intake = for_intake_, .limit = limit_}));
    if (requests_.has_failed()) unread_.clear();
    Require(requests_.output().size() + responses_.output().size() <= kMaxHeld, "what waits is bounded");
    ReadRequests();
    ReadResponses();
  }

  void ReadRequests() {
    if (!has_begun_) {
      std::string& bytes = requests_.output();
      if (bytes.size() < anybit::server::kPreface.size()) return;
      has_begun_ = true;
      is_http2_ = absl::StartsWith(bytes, anybit::server::kPreface);
      if (is_http2_) bytes.erase(0, anybit::server::kPreface.size());
    }
    if (!is_http2_) return requests_.output().clear();
    to_grpc_.Read(requests_.output(), [this](const FrameHeader& head, absl::string_view payload) {
      if (head.type == FrameType::kHeaders) {
        Require(head.stream % 2 == 1 && head.stream > last_, "gRPC gets calls that it accepts");
        Require(!has_left_, "no call passes after the connection has left");
        last_ = head.stream;
        open_.insert(head.stream);
        block_.clear();
      }
      if (head.type == FrameType::kHeaders || head.type == FrameType::kContinuation) {
        block_.append(payload.data(), payload.size());
        HeaderList headers;
        if (head.has(anybit::server::kEndHeaders)) {
          Require(decoder_.Decode(block_, 1 << 20, headers), "gRPC gets header blocks that it can read");
        }
      }
      if (head.type == FrameType::kRstStream) open_.erase(head.stream);
    });
    Require(responses_.open_calls() <= open_.size(), "each open call is one that gRPC has got");
    Require(static_cast<size_t>(limit_.inside()) <= open_.size(), "the limit knows no other calls");
  }

  void ReadResponses() {
    to_client_.Read(responses_.output(), [this](const FrameHeader& head, absl::string_view payload) {
      if (head.type == FrameType::kRstStream) Require(head.stream != 0, "no reset of the connection");
      if (head.type == FrameType::kWindowUpdate) {
        const uint32_t returned = payload.size() == 4 ? anybit::server::ReadNumber(payload.data(), 4) : 0;
        returned_ += returned;
        Require(head.stream == 0 && returned > 0 && returned_ <= sent_, "flow control that was used is given back");
      }
    });
  }

  anybit::MonoTime now_{std::chrono::seconds(1)};
  int calls_ = 4;
  int64_t for_intake_ = 0;
  CallLimit limit_{2};
  ResponseStream responses_{limit_};
  RequestStream requests_{Rules(), responses_};
  std::string unread_, grpc_rest_, block_;
  FrameReader to_grpc_, to_client_;
  HeaderDecoder decoder_;
  std::set<uint32_t> open_;
  uint32_t last_ = 0;
  uint32_t half_ended_ = 0;  // the call that ends with what gRPC has still to write; 0: none
  uint64_t sent_ = 0, returned_ = 0;
  bool has_begun_ = false, is_http2_ = false;
  bool has_left_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view rest(reinterpret_cast<const char*>(data), size);
  Exchange exchange;
  while (rest.size() >= 3) {
    const int argument = static_cast<uint8_t>(rest[0]) >> 2;
    switch (rest[0] & 3) {
      case 0:
      case 1: {
        const size_t bytes = std::min<size_t>(anybit::server::ReadNumber(rest.data() + 1, 2), rest.size() - 3);
        exchange.Client(rest.substr(3, bytes));
        rest.remove_prefix(3 + bytes);
        break;
      }
      case 2:
        if (argument >= 62) {
          exchange.Leave(argument == 63);
          rest.remove_prefix(1);
          break;
        }
        exchange.Turn(argument / 8, argument % 8);
        rest.remove_prefix(1);
        break;
      default: exchange.Grpc(argument); rest.remove_prefix(1);
    }
  }
  return 0;
}
