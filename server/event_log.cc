#include "server/event_log.h"

#include <chrono>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/json_line.h"

namespace anybit::server {
namespace {

constexpr std::array<absl::string_view, kLogEvents> kNames = {
    "serving",         "not_ready",    "draining",          "stopped", "request_refused", "request_failed",
    "request_invalid", "call_refused", "decision_replaced", "library", "notice"};

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kError: return "error";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kInfo: break;
  }
  return "info";
}

// A text that a reader can tell from the next member.
std::string ShownText(const std::string& text) {
  const bool plain = !text.empty() && text.find_first_of(" =\"\\\n\r\t") == std::string::npos;
  return plain ? text : JsonQuoted(text);
}

}  // namespace

absl::string_view LogEventName(LogEvent event) { return kNames[static_cast<size_t>(event)]; }

std::string NoticeLine(LogLevel level, absl::string_view text, NoticeStyle style, WallTime at) {
  const std::string time =
      style.has_time ? absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ ", absl::FromChrono(at), absl::UTCTimeZone()) : "";
  const bool has_level = style.has_level && level != LogLevel::kInfo;
  return absl::StrCat(time, "anybit-server: ", has_level ? LevelName(level) : "", has_level ? ": " : "", text, "\n");
}

absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view text) {
  if (text == "text") return LogFormat::kText;
  if (text == "json") return LogFormat::kJson;
  return absl::InvalidArgumentError(absl::StrCat("--log_format is '", text, "', not text or json"));
}

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view text) {
  for (const LogLevel level : {LogLevel::kError, LogLevel::kWarning, LogLevel::kInfo}) {
    if (text == LevelName(level)) return level;
  }
  return absl::InvalidArgumentError(absl::StrCat("--log_level is '", text, "', not error, warning or info"));
}

EventLog::EventLog(EventLogOptions options, Sink sink, WallTime (*wall_now)())
    : options_(options), wall_now_(wall_now), sink_(std::move(sink)), thread_([this] { Run(); }) {}

EventLog::~EventLog() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

bool EventLog::Admits(LogLevel level, LogEvent event) {
  if (level > options_.least) return false;
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(wall_now_().time_since_epoch()).count();
  const absl::MutexLock lock(&mutex_);
  Rate& rate = rates_[static_cast<size_t>(event)];
  if (rate.second != second) {
    rate.second = second;
    rate.lines = 0;
  }
  if (rate.lines < kLinesPerSecond) {
    ++rate.lines;
    return true;
  }
  ++rate.left_out;
  return false;
}

void EventLog::Write(LogLevel level, LogEvent event, LogFields fields) {
  const WallTime at = wall_now_();
  const absl::MutexLock lock(&mutex_);
  int64_t& left_out = rates_[static_cast<size_t>(event)].left_out;
  if (left_out > 0) fields.Add("left_out", std::exchange(left_out, 0));
  if (!HasRoom()) return;
  if (dropped_ > 0) fields.Add("dropped", std::exchange(dropped_, 0));
  waiting_.push_back(Line(level, event, at, fields));
}

void EventLog::Say(LogLevel level, absl::string_view text, NoticeStyle style) {
  if (level > options_.least) return;
  const WallTime at = wall_now_();
  const absl::MutexLock lock(&mutex_);
  if (!HasRoom()) return;
  waiting_.push_back(options_.format == LogFormat::kText
                         ? NoticeLine(level, text, style, at)
                         : Line(level, LogEvent::kNotice, at, LogFields().Add("text", text)));
}

// For one more line, which counts as dropped if not.
bool EventLog::HasRoom() {
  if (waiting_.size() < kMaxWaitingLines) return true;
  ++dropped_;
  return false;
}

void EventLog::Flush() {
  const absl::MutexLock lock(&mutex_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return waiting_.empty() && !writing_; };
  mutex_.Await(absl::Condition(&idle));
}

std::string EventLog::Line(LogLevel level, LogEvent event, WallTime at, const LogFields& fields) const {
  const std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromChrono(at), absl::UTCTimeZone());
  std::string line;
  if (options_.format == LogFormat::kText) {
    line = absl::StrCat(time, " ", LevelName(level), " ", LogEventName(event));
    for (const LogFields::Field& field : fields.fields_) {
      absl::StrAppend(&line, " ", field.name, "=", field.is_text ? ShownText(field.value) : field.value);
    }
    return line + "\n";
  }
  line = absl::StrCat("{\"time\":\"", time, "\",\"level\":\"", LevelName(level), "\",\"event\":\"", LogEventName(event),
                      "\"");
  for (const LogFields::Field& field : fields.fields_) {
    absl::StrAppend(&line, ",", JsonQuoted(field.name), ":", field.is_text ? JsonQuoted(field.value) : field.value);
  }
  return line + "}\n";
}

void EventLog::Run() {
  const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !waiting_.empty() || stopping_; };
  while (true) {
    std::string line;
    {
      const absl::MutexLock lock(&mutex_);
      writing_ = false;
      mutex_.Await(absl::Condition(&wanted));
      if (waiting_.empty()) return;
      line = std::move(waiting_.front());
      waiting_.pop_front();
      writing_ = true;
    }
    sink_(line);
  }
}

void Say(EventLog* log, LogLevel level, absl::string_view text, NoticeStyle style) {
  if (log != nullptr) return log->Say(level, text, style);
  std::cerr << NoticeLine(level, text, style, WallNow()) << std::flush;
}

}  // namespace anybit::server
