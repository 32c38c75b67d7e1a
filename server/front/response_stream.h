// What a client gets on one connection: gRPC's bytes, and frames of the front's own between its frames.
#ifndef ANYBIT_SERVER_FRONT_RESPONSE_STREAM_H_
#define ANYBIT_SERVER_FRONT_RESPONSE_STREAM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "absl/strings/string_view.h"
#include "server/front/call_limit.h"
#include "server/front/http2_frame.h"

namespace anybit::server {

// In a GOAWAY frame: calls go on, for now.
inline constexpr uint32_t kLastPossibleStream = 0x7fffffff;

class ResponseStream {
 public:
  // `limit` outlives the stream, and hears of the calls.
  explicit ResponseStream(CallLimit& limit) : limit_(limit) {}
  ~ResponseStream();
  ResponseStream(const ResponseStream&) = delete;
  ResponseStream& operator=(const ResponseStream&) = delete;

  // The next bytes that gRPC has written.
  void Take(absl::string_view bytes);

  // Whole frames, which follow the frame or header block that is under way, and gRPC's first frame: a connection begins
  // with its settings.
  void Inject(absl::string_view frames);

  // Tells the client (GOAWAY) that no call after `last_stream` is looked at. In all such frames, gRPC's too, the number
  // never rises: a client may have made the calls beyond it elsewhere.
  void InjectGoaway(uint32_t last_stream, uint32_t error);
  // The last call that is looked at, as the client knows. gRPC's frames lower it too, and end the open calls beyond it.
  uint32_t last_stream() const { return last_stream_; }

  // What the client is to get; the caller removes what is sent.
  std::string& output() { return output_; }
  // With what has to wait for the end of gRPC's frame.
  size_t unsent() const { return output_.size() + injected_.size(); }

  // The client's settings, and whether they change the size of the table for headers. A change has to be confirmed by
  // the first header block after it, and only gRPC's blocks do that.
  void ClientSettings(bool changes_table);
  bool MayInjectHeaders() const { return table_settings_ == 0; }

  // A call was passed to gRPC; `is_own`: which serves it itself, and the limit does not know it.
  void Open(uint32_t stream, CallLimit::Urgency urgency, bool is_own);
  // gRPC or the client has ended it; any other stream is ignored.
  void Close(uint32_t stream);
  size_t open_calls() const { return open_.size(); }
  size_t own_calls() const { return own_calls_; }

 private:
  struct Call {
    CallLimit::Urgency urgency = 0;
    bool is_own = false;
    bool has_message = false;
  };

  absl::string_view TakeHead(absl::string_view bytes);
  void Begin(const FrameHeader& frame);
  void LowerLastStream();
  bool IsBetweenFrames() const { return has_begun_ && left_ == 0 && !in_block_; }

  std::string output_;
  std::string injected_;  // waits for the end of a frame or block
  bool has_begun_ = false;
  // A frame's head, of which nothing is sent before it is complete. To that of GOAWAY belongs the number of a stream.
  static constexpr size_t kStreamBytes = 4;
  std::array<char, kFrameHeaderBytes + kStreamBytes> head_{};
  size_t head_size_ = 0, head_bytes_ = kFrameHeaderBytes;  // what is there, and what it will have
  uint32_t last_stream_ = kLastPossibleStream;
  size_t left_ = 0;  // of the frame's payload
  bool in_block_ = false;
  int64_t settings_ = 0, acknowledged_ = 0;
  int64_t table_settings_ = 0;  // the settings that have changed the table last; 0: confirmed
  CallLimit& limit_;
  std::unordered_map<uint32_t, Call> open_;  // Abseil's maps do not survive that their memory ends
  size_t own_calls_ = 0;                     // of open_
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_FRONT_RESPONSE_STREAM_H_
