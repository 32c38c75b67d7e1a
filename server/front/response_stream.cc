#include "server/front/response_stream.h"

#include <algorithm>
#include <cstring>

namespace anybit::server {

void ResponseStream::Take(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      const size_t size = std::min(bytes.size(), kFrameHeaderBytes - head_size_);
      std::memcpy(head_.data() + head_size_, bytes.data(), size);
      head_size_ += size;
      output_.append(bytes.data(), size);
      bytes.remove_prefix(size);
      if (head_size_ < kFrameHeaderBytes) return;
      head_size_ = 0;
      Begin(ParseFrameHeader(head_.data()));
    }
    const size_t size = std::min(bytes.size(), left_);
    output_.append(bytes.data(), size);
    bytes.remove_prefix(size);
    left_ -= size;
    if (!injected_.empty() && IsBetweenFrames()) {
      output_.append(injected_);
      injected_.clear();
    }
  }
}

void ResponseStream::Begin(const FrameHeader& frame) {
  has_begun_ = true;
  left_ = frame.length;
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

void ResponseStream::ClientSettings(bool changes_table) {
  ++settings_;
  if (changes_table) table_settings_ = settings_;
}

}  // namespace anybit::server
