#include "server/front/response_stream.h"

#include <algorithm>
#include <cstring>

namespace anybit::server {

void ResponseStream::Take(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      bytes = TakeHead(bytes);
    } else {
      const size_t size = std::min(bytes.size(), left_);
      output_.append(bytes.data(), size);
      bytes.remove_prefix(size);
      left_ -= size;
    }
    if (!injected_.empty() && IsBetweenFrames()) {
      output_.append(injected_);
      injected_.clear();
    }
  }
}

absl::string_view ResponseStream::TakeHead(absl::string_view bytes) {
  const size_t size = std::min(bytes.size(), head_bytes_ - head_size_);
  std::memcpy(head_.data() + head_size_, bytes.data(), size);
  head_size_ += size;
  if (head_size_ == head_bytes_) {
    const FrameHeader frame = ParseFrameHeader(head_.data());
    const bool names_stream = frame.type == FrameType::kGoaway && frame.length >= kStreamBytes;
    if (names_stream && head_bytes_ == kFrameHeaderBytes) {
      head_bytes_ += kStreamBytes;
    } else {
      Begin(frame);
    }
  }
  return bytes.substr(size);
}

// The head is complete.
void ResponseStream::Begin(const FrameHeader& frame) {
  if (head_bytes_ > kFrameHeaderBytes) LowerLastStream();
  output_.append(head_.data(), head_bytes_);
  left_ = frame.length - (head_bytes_ - kFrameHeaderBytes);
  head_size_ = 0;
  head_bytes_ = kFrameHeaderBytes;
  has_begun_ = true;
  const bool is_block = frame.type == FrameType::kHeaders || frame.type == FrameType::kContinuation;
  in_block_ = is_block && !frame.has(kEndHeaders);
  if (frame.type == FrameType::kHeaders && acknowledged_ >= table_settings_) table_settings_ = 0;
  if (frame.type == FrameType::kSettings && frame.has(kAck)) ++acknowledged_;
  if (frame.type == FrameType::kData) {
    const auto call = open_.find(frame.stream);
    if (call != open_.end()) call->second.has_message = true;
  }
  const bool may_end = frame.type == FrameType::kHeaders || frame.type == FrameType::kData;
  if (frame.type == FrameType::kRstStream || (may_end && frame.has(kEndStream))) Close(frame.stream);
}

// To what gRPC's GOAWAY names, or the frame's number to what the client knows. gRPC ignores the calls beyond its own
// number, and their clients make them elsewhere.
void ResponseStream::LowerLastStream() {
  const uint32_t named = ReadNumber(head_.data() + kFrameHeaderBytes, kStreamBytes) & kLastPossibleStream;
  for (auto call = open_.begin(); call != open_.end();) {
    const uint32_t stream = (call++)->first;
    if (stream > named) Close(stream);
  }
  last_stream_ = std::min(last_stream_, named);
  std::string number;
  AppendNumber(number, last_stream_, kStreamBytes);
  std::memcpy(head_.data() + kFrameHeaderBytes, number.data(), kStreamBytes);
}

ResponseStream::~ResponseStream() {
  while (!open_.empty()) Close(open_.begin()->first);
}

void ResponseStream::Open(uint32_t stream, CallLimit::Urgency urgency, bool is_own) {
  open_[stream] = {.urgency = urgency, .is_own = is_own};
  if (is_own) {
    ++own_calls_;
  } else {
    limit_.Begin(urgency);
  }
}

void ResponseStream::Close(uint32_t stream) {
  const auto call = open_.find(stream);
  if (call == open_.end()) return;
  if (call->second.is_own) {
    --own_calls_;
  } else {
    limit_.End(call->second.urgency, call->second.has_message);
  }
  open_.erase(call);
}

void ResponseStream::Inject(absl::string_view frames) {
  (IsBetweenFrames() ? output_ : injected_).append(frames.data(), frames.size());
}

void ResponseStream::InjectGoaway(uint32_t last_stream, uint32_t error) {
  last_stream_ = std::min(last_stream_, last_stream);
  std::string frame;
  AppendFrameHeader(frame, {.length = 8, .type = FrameType::kGoaway});
  AppendNumber(frame, last_stream_, 4);
  AppendNumber(frame, error, 4);
  Inject(frame);
}

void ResponseStream::ClientSettings(bool changes_table) {
  ++settings_;
  if (changes_table) table_settings_ = settings_;
}

}  // namespace anybit::server
