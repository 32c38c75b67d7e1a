// What a client sends on one connection, on its way to gRPC: calls are refused, held back or passed.
//
// It cuts the bytes into frames. All frames pass but those of refused calls, whose answers it injects into the
// connection's ResponseStream. A call passes if its deadline can be met, the limit allows it, and calls are left in
// this turn. Otherwise it waits, and with it all that follows, or is refused if it has waited too long. Calls that the
// limit does not count wait while too many of them are open.
//
//   size_t taken = requests.Take(bytes, turn);        // all, or up to a call that waits
//   ... in a later turn, if requests.is_waiting() ...
//   if (requests.Resume(turn)) taken += requests.Take(bytes.substr(taken), turn);
#ifndef ANYBIT_SERVER_FRONT_REQUEST_STREAM_H_
#define ANYBIT_SERVER_FRONT_REQUEST_STREAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/time.h"
#include "server/front/call_limit.h"
#include "server/front/header_block.h"
#include "server/front/http2_frame.h"
#include "server/front/refusal.h"
#include "server/front/response_stream.h"

namespace anybit::server {

struct FrontRules {
  // Methods that gRPC serves itself. The limit does not count their calls.
  std::vector<std::string> own_methods;
  // Methods whose calls last as long as clients like. The limit does not count them either.
  std::vector<std::string> lasting_methods;
  std::string refused_method;
  // The answer (RefusalBlock) to a call of refused_method that is refused unread, because it has only so much time left
  // or, `must`, whatever it has. Null: it is not refused. Valid until the same thread asks again.
  std::function<const std::string*(Duration left, bool must)> refuse;
  // Of the headers of a call, counted as HTTP/2 does. A call with more is reset: gRPC would skip a part of them, and
  // with it entries of the table that later calls refer to.
  size_t max_metadata_bytes = std::numeric_limits<size_t>::max();
  // A header in which gRPC gets the name in the client's certificate; what clients send in it is dropped. "": none.
  std::string client_name_header = {};
  // The calls that the intake has ever taken, own ones not counted. Null: it takes all between two turns.
  std::function<int64_t()> calls_taken = nullptr;
};

// When a connection has its turn, and how many calls may still pass to gRPC until it has taken those before.
struct FrontTurn {
  MonoTime now{};
  int& calls;
  int64_t& for_intake;  // of those that have passed, counted up
  CallLimit& limit;
};

class RequestStream {
 public:
  // Open calls of a connection that the limit does not count.
  static constexpr size_t kMaxOwnCalls = 1000;
  // Of bytes that wait to be sent, one way.
  static constexpr size_t kMaxUnsent = 64 * 1024;

  // All outlive the stream.
  RequestStream(const FrontRules& rules, ResponseStream& responses) : rules_(rules), responses_(responses) {}

  // Of the client's certificate, before Take. A name that no header could have counts as "".
  void SetClientName(const std::string& name);

  // Takes bytes that did not arrive before `arrived` until they end, a call waits, too much waits to be sent, or the
  // connection has failed; returns how many.
  size_t Take(absl::string_view bytes, MonoTime arrived, const FrontTurn& turn);

  // A call waits for a turn with calls left, or for others of its connection to end.
  bool is_waiting() const { return waits_; }
  // Whether the call that waited has passed or was refused.
  bool Resume(const FrontTurn& turn);

  // The connection takes no further calls. The client is told so (GOAWAY) and asked to confirm it, so that calls that
  // are on their way still pass; then has_left is true. Those that come later are refused as not looked at
  // (REFUSED_STREAM), and the client may make them elsewhere.
  void Leave();
  // The same without a wait for the client. A call that waits and that the limit does not count is refused likewise.
  void LeaveNow();
  bool has_left() const { return leaving_ == Leaving::kDone || has_failed_; }

  // The client's bytes break the protocol; it is told why. Nothing is taken any more.
  bool has_failed() const { return has_failed_; }

  // Whether the client has begun an HTTP/2 connection, or has sent something else, which gRPC is to judge.
  bool has_begun() const { return preface_size_ == kPreface.size() || is_raw_; }

  // Whether what waits to be sent, both ways, leaves room. Nothing is taken without.
  bool may_take() const { return output_.size() < kMaxUnsent && responses_.unsent() < kMaxUnsent; }

  // What gRPC is to get; the caller removes what is sent.
  std::string& output() { return output_; }

 private:
  enum class Payload { kPass, kDrop, kCollect };
  enum class Leaving { kNo, kAsked, kDone };

  absl::string_view TakePreface(absl::string_view bytes);
  absl::string_view TakeHead(absl::string_view bytes, const FrontTurn& turn);
  absl::string_view TakePayload(absl::string_view bytes, const FrontTurn& turn);
  void BeginFrame();
  void EndFrame(const FrontTurn& turn);
  void CollectBlock(const FrontTurn& turn);
  void EndBlock(const FrontTurn& turn);
  void TakeCall(const FrontTurn& turn);
  bool Decide(const FrontTurn& turn);
  bool TryRefuse(Duration left, bool must);
  void Refuse(absl::string_view answer, bool ends_request);
  void ResetCall(uint32_t error);
  size_t MetadataBytes() const;
  void Pass(absl::string_view timeout);
  void DropData();
  void Settings();
  void Ping();
  void Fail(uint32_t error);

  const FrontRules& rules_;
  ResponseStream& responses_;
  std::string client_name_;
  std::string output_;
  size_t preface_size_ = 0;  // of what has come
  bool is_raw_ = false;
  bool has_failed_ = false;
  Leaving leaving_ = Leaving::kNo;
  MonoTime arrived_{};  // the present bytes, at the earliest

  std::array<char, kFrameHeaderBytes> head_{};
  size_t head_size_ = 0;
  FrameHeader frame_;  // the present one
  size_t left_ = 0;    // of its payload
  bool in_frame_ = false;
  Payload payload_mode_ = Payload::kPass;
  std::string payload_;  // if collected

  HeaderDecoder decoder_;
  HeaderEncoder encoder_;
  bool in_block_ = false;
  FrameHeader block_head_;  // the block's first frame
  std::string block_;
  HeaderList headers_;  // of the last block

  uint32_t last_stream_ = 0;
  bool waits_ = false;  // the call of headers_
  bool is_own_ = false, is_lasting_ = false, is_refusable_ = false;
  std::optional<Duration> timeout_;

  // Calls whose request has not ended, and whether the client has been told to end it.
  std::unordered_map<uint32_t, bool> refused_;
  uint32_t unreturned_ = 0;      // bytes of flow control that their data took
  uint32_t table_bytes_ = 4096;  // the client's setting
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_REQUEST_STREAM_H_
