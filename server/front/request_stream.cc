#include "server/front/request_stream.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"

namespace anybit::server {
namespace {

// Of a call's headers; gRPC's own limit is lower.
constexpr size_t kMaxHeaderBytes = 64 * 1024;
// A call that was held back for so long is told to gRPC with the time that is left.
constexpr Duration kTellHold = std::chrono::milliseconds(1);
// A call that waits longer than this part of its timeout is refused: more come than are taken.
constexpr int kHeldPart = 8;
// Refused calls whose requests are under way. Beyond, gRPC drops what still comes of them.
constexpr size_t kMaxRefused = 1000;
// Of a common name by X.509.
constexpr size_t kMaxClientNameBytes = 64;
// Flow control is given back in portions of this size.
constexpr uint32_t kReturnBytes = 8 * 1024;

constexpr uint32_t kNoError = 0, kProtocolError = 1, kFrameSizeError = 6, kRefusedStream = 7, kCompressionError = 9;
constexpr uint32_t kEnhanceYourCalm = 11;
// What a client sends back once it knows that the connection takes no more calls.
constexpr absl::string_view kLeavePing = "goingnow";
constexpr uint16_t kTableSize = 1;  // SETTINGS_HEADER_TABLE_SIZE
constexpr size_t kSettingBytes = 6;

}  // namespace

void RequestStream::SetClientName(const std::string& name) {
  const bool is_plain = absl::c_all_of(name, [](unsigned char c) { return absl::ascii_isgraph(c); });
  client_name_ = is_plain && name.size() <= kMaxClientNameBytes ? name : "";
}

size_t RequestStream::Take(absl::string_view bytes, MonoTime arrived, const FrontTurn& turn) {
  arrived_ = arrived;
  const size_t size = bytes.size();
  while (!bytes.empty() && !waits_ && !has_failed_ && may_take()) {
    if (is_raw_) {
      output_.append(bytes.data(), bytes.size());
      return size;
    }
    if (preface_size_ < kPreface.size()) {
      bytes = TakePreface(bytes);
    } else if (!in_frame_) {
      bytes = TakeHead(bytes, turn);
    } else {
      bytes = TakePayload(bytes, turn);
    }
  }
  if (unreturned_ >= kReturnBytes) {
    std::string update;
    AppendNumberFrame(update, FrameType::kWindowUpdate, 0, unreturned_);
    responses_.Inject(update);
    unreturned_ = 0;
  }
  return size - bytes.size();
}

absl::string_view RequestStream::TakePreface(absl::string_view bytes) {
  const size_t size = std::min(bytes.size(), kPreface.size() - preface_size_);
  if (bytes.substr(0, size) != kPreface.substr(preface_size_, size)) {
    output_.append(kPreface.data(), preface_size_);
    is_raw_ = true;
    return bytes;
  }
  preface_size_ += size;
  if (preface_size_ == kPreface.size()) output_.append(kPreface.data(), kPreface.size());
  return bytes.substr(size);
}

absl::string_view RequestStream::TakeHead(absl::string_view bytes, const FrontTurn& turn) {
  const size_t size = std::min(bytes.size(), kFrameHeaderBytes - head_size_);
  std::memcpy(head_.data() + head_size_, bytes.data(), size);
  head_size_ += size;
  if (head_size_ < kFrameHeaderBytes) return bytes.substr(size);
  head_size_ = 0;
  frame_ = ParseFrameHeader(head_.data());
  left_ = frame_.length;
  in_frame_ = true;
  BeginFrame();
  if (left_ == 0 && !has_failed_) EndFrame(turn);
  return bytes.substr(size);
}

absl::string_view RequestStream::TakePayload(absl::string_view bytes, const FrontTurn& turn) {
  const size_t size = std::min(bytes.size(), left_);
  if (payload_mode_ == Payload::kPass) output_.append(bytes.data(), size);
  if (payload_mode_ == Payload::kCollect) payload_.append(bytes.data(), size);
  left_ -= size;
  if (left_ == 0) EndFrame(turn);
  return bytes.substr(size);
}

// Decides what becomes of the payload.
void RequestStream::BeginFrame() {
  payload_mode_ = Payload::kPass;
  payload_.clear();
  const bool continues = frame_.type == FrameType::kContinuation;
  if (in_block_ != continues || (continues && frame_.stream != block_head_.stream)) return Fail(kProtocolError);
  switch (frame_.type) {
    case FrameType::kHeaders:
      // Clients' calls have odd numbers. gRPC would not answer others, and the limit would count them for ever.
      if (frame_.stream % 2 == 0) return Fail(kProtocolError);
      [[fallthrough]];
    case FrameType::kContinuation:
      if (frame_.length > kMaxHeaderBytes) return Fail(kFrameSizeError);
      payload_mode_ = Payload::kCollect;
      return;
    case FrameType::kSettings:
      if (frame_.length <= kMaxPayload) payload_mode_ = Payload::kCollect;
      break;
    case FrameType::kPing:
      if (leaving_ == Leaving::kAsked && frame_.length == kLeavePing.size()) payload_mode_ = Payload::kCollect;
      break;
    case FrameType::kData:
    case FrameType::kWindowUpdate:
    case FrameType::kRstStream:
      if (refused_.contains(frame_.stream)) payload_mode_ = Payload::kDrop;
      break;
    default: break;
  }
  if (payload_mode_ == Payload::kPass) AppendFrameHeader(output_, frame_);
}

void RequestStream::EndFrame(const FrontTurn& turn) {
  in_frame_ = false;
  switch (frame_.type) {
    case FrameType::kHeaders:
    case FrameType::kContinuation: return CollectBlock(turn);
    case FrameType::kSettings:
      if (payload_mode_ == Payload::kCollect) Settings();
      return;
    case FrameType::kPing:
      if (payload_mode_ == Payload::kCollect) Ping();
      return;
    case FrameType::kData:
      if (payload_mode_ == Payload::kDrop) DropData();
      return;
    case FrameType::kRstStream:
      responses_.Close(frame_.stream);
      refused_.erase(frame_.stream);
      return;
    default: return;
  }
}

void RequestStream::DropData() {
  unreturned_ += frame_.length;
  const auto refused = refused_.find(frame_.stream);
  const bool is_told = refused->second;
  refused_.erase(refused);
  if (is_told || frame_.has(kEndStream)) return;
  // The rest is not wanted. What is under way of it passes, and gRPC drops it.
  std::string reset;
  AppendNumberFrame(reset, FrameType::kRstStream, frame_.stream, kNoError);
  responses_.Inject(reset);
}

void RequestStream::Settings() {
  AppendFrame(output_, frame_.type, frame_.flags, frame_.stream, payload_);
  if (frame_.has(kAck)) return;
  bool changes = false;
  for (size_t at = 0; at + kSettingBytes <= payload_.size(); at += kSettingBytes) {
    if (ReadNumber(payload_.data() + at, 2) != kTableSize) continue;
    const uint32_t bytes = ReadNumber(payload_.data() + at + 2, 4);
    changes = changes || bytes != table_bytes_;
    table_bytes_ = bytes;
  }
  responses_.ClientSettings(changes);
}

void RequestStream::Ping() {
  if (frame_.has(kAck) && payload_ == kLeavePing) return LeaveNow();
  AppendFrame(output_, frame_.type, frame_.flags, frame_.stream, payload_);
}

void RequestStream::Leave() {
  if (leaving_ != Leaving::kNo) return;
  if (preface_size_ < kPreface.size() || has_failed_) return LeaveNow();
  leaving_ = Leaving::kAsked;
  responses_.InjectGoaway(kLastPossibleStream, kNoError);
  std::string ping;
  AppendFrame(ping, FrameType::kPing, 0, 0, kLeavePing);
  responses_.Inject(ping);
}

void RequestStream::LeaveNow() {
  if (leaving_ == Leaving::kDone) return;
  leaving_ = Leaving::kDone;
  if (!is_raw_ && !has_failed_) responses_.InjectGoaway(last_stream_, kNoError);
  if (!waits_ || !(is_own_ || is_lasting_)) return;
  waits_ = false;
  ResetCall(kRefusedStream);
}

// Of HEADERS and CONTINUATION.
void RequestStream::CollectBlock(const FrontTurn& turn) {
  absl::string_view fragment = payload_;
  if (frame_.type == FrameType::kHeaders) {
    const size_t padding = frame_.has(kPadded) && !fragment.empty() ? static_cast<uint8_t>(fragment[0]) : 0;
    const size_t before = (frame_.has(kPadded) ? 1 : 0) + (frame_.has(kHasPriority) ? 5 : 0);
    if (fragment.size() < before + padding) return Fail(kProtocolError);
    fragment = fragment.substr(before, fragment.size() - before - padding);
    block_head_ = frame_;
    block_.clear();
    in_block_ = true;
  }
  if (block_.size() + fragment.size() > kMaxHeaderBytes) return Fail(kEnhanceYourCalm);
  block_.append(fragment.data(), fragment.size());
  if (frame_.has(kEndHeaders)) EndBlock(turn);
}

void RequestStream::EndBlock(const FrontTurn& turn) {
  in_block_ = false;
  headers_.Clear();
  if (!decoder_.Decode(block_, kMaxHeaderBytes, headers_)) return Fail(kCompressionError);
  if (block_head_.stream > last_stream_) return TakeCall(turn);
  // Headers after a request's message, which gRPC's clients do not send, tell no more than that it has ended. gRPC
  // ignores data of calls that it does not know; headers would begin them.
  if (refused_.erase(block_head_.stream) == 0) {
    AppendFrame(output_, FrameType::kData, block_head_.flags & kEndStream, block_head_.stream, "");
  }
}

void RequestStream::TakeCall(const FrontTurn& turn) {
  last_stream_ = block_head_.stream;
  // gRPC would ignore it, or the client knows that it comes too late.
  if (last_stream_ > responses_.last_stream()) return ResetCall(kRefusedStream);
  if (MetadataBytes() > rules_.max_metadata_bytes) return ResetCall(kEnhanceYourCalm);
  is_own_ = is_lasting_ = is_refusable_ = false;
  timeout_.reset();
  for (size_t i = 0; i < headers_.size(); ++i) {
    if (headers_.name(i) == ":path") {
      const absl::string_view path = headers_.value(i);
      is_refusable_ = path == rules_.refused_method;
      is_own_ = absl::c_linear_search(rules_.own_methods, path);
      is_lasting_ = absl::c_linear_search(rules_.lasting_methods, path);
    }
    if (headers_.name(i) == kTimeoutHeader) timeout_ = ParseGrpcTimeout(headers_.value(i));
  }
  waits_ = !Decide(turn);
}

bool RequestStream::Resume(const FrontTurn& turn) {
  if (waits_ && last_stream_ > responses_.last_stream()) {  // gRPC would ignore it by now
    waits_ = false;
    ResetCall(kRefusedStream);
  }
  waits_ = waits_ && !Decide(turn);
  return !waits_;
}

// Refuses or passes the call; false if it has to wait.
bool RequestStream::Decide(const FrontTurn& turn) {
  const uint32_t stream = block_head_.stream;
  if (is_own_ || is_lasting_) {
    if (turn.calls == 0 || responses_.own_calls() >= kMaxOwnCalls) return false;
    --turn.calls;
    if (is_lasting_) ++turn.for_intake;
    responses_.Open(stream, 0, true);
    Pass("");
    return true;
  }
  const Duration held = turn.now - arrived_;
  const Duration left = timeout_.value_or(Duration::max()) - held;
  const bool is_timed = is_refusable_ && timeout_.has_value();
  const CallLimit::Urgency urgency = CallLimit::UrgencyOf(timeout_.value_or(Duration::max()));
  const bool may_pass = turn.calls > 0 && (!is_timed || turn.limit.Allows(urgency, left));
  if (is_timed && responses_.MayInjectHeaders()) {
    if (TryRefuse(left, !may_pass && held > *timeout_ / kHeldPart)) return true;
  }
  if (!may_pass) return false;
  --turn.calls;
  ++turn.for_intake;
  responses_.Open(stream, urgency, false);
  const bool tell = timeout_.has_value() && held >= kTellHold;
  Pass(tell ? FormatGrpcTimeout(std::max<Duration>(left, std::chrono::microseconds(1))) : "");
  return true;
}

bool RequestStream::TryRefuse(Duration left, bool must) {
  const std::string* block = rules_.refuse(left, must);
  if (block == nullptr) return false;
  std::string answer;
  AppendFrame(answer, FrameType::kHeaders, kEndHeaders | kEndStream, block_head_.stream, *block);
  Refuse(answer, /*ends_request=*/false);
  return true;
}

void RequestStream::Refuse(absl::string_view answer, bool ends_request) {
  responses_.Inject(answer);
  if (block_head_.has(kEndStream)) return;
  if (refused_.size() == kMaxRefused) refused_.clear();
  refused_[block_head_.stream] = ends_request;
}

size_t RequestStream::MetadataBytes() const {
  const std::string& name = rules_.client_name_header;
  return headers_.bytes() + (name.empty() ? 0 : HeaderBytes(name, client_name_));
}

// With kRefusedStream the call counts as not looked at: the client may make it elsewhere. gRPC's clients understand
// kEnhanceYourCalm as RESOURCE_EXHAUSTED.
void RequestStream::ResetCall(uint32_t error) {
  std::string reset;
  AppendNumberFrame(reset, FrameType::kRstStream, block_head_.stream, error);
  Refuse(reset, /*ends_request=*/true);
}

void RequestStream::Pass(absl::string_view timeout) {
  absl::string_view block =
      encoder_.Encode(headers_, timeout, {.name = rules_.client_name_header, .value = client_name_});
  FrameHeader head{
      .type = FrameType::kHeaders, .flags = uint8_t(block_head_.flags & kEndStream), .stream = block_head_.stream};
  while (true) {
    head.length = static_cast<uint32_t>(std::min(block.size(), kMaxPayload));
    if (head.length == block.size()) head.flags |= kEndHeaders;
    AppendFrameHeader(output_, head);
    output_.append(block.data(), head.length);
    block.remove_prefix(head.length);
    if (block.empty()) return;
    head.type = FrameType::kContinuation;
    head.flags = 0;
  }
}

// The client is told and gRPC hears no more; the caller ends the connection.
void RequestStream::Fail(uint32_t error) {
  has_failed_ = true;
  responses_.InjectGoaway(last_stream_, error);
}

}  // namespace anybit::server
