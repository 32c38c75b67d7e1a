// The server's events for people and log collectors: one line each, as text or JSON, no payloads.
//
//   EventLog log({.format = LogFormat::kJson}, write_line, wall_now);
//   if (log.Admits(LogLevel::kWarning, LogEvent::kRequestRefused))
//     log.Write(LogLevel::kWarning, LogEvent::kRequestRefused, LogFields().Add("reason", "queue is full").Add("rows",
//     3));
//
// Whoever logs never waits: a thread of the log writes, and lines that it cannot write in time are dropped and counted.
// Each kind of event has kLinesPerSecond lines a second; the next line after some were left out says how many.
//
// Notices are lines of words for an administrator. They have no rate of their own.
//
//   Say(log, LogLevel::kInfo, "new access tokens are in force: 2");  // anybit-server: new access tokens are ...
#ifndef ANYBIT_SERVER_EVENT_LOG_H_
#define ANYBIT_SERVER_EVENT_LOG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "server/grpc_deadline.h"

namespace anybit::server {

enum class LogFormat { kText, kJson };
enum class LogLevel { kError, kWarning, kInfo };

// What happened. LogEventName has the word that the line shows.
enum class LogEvent {
  kServing,
  kNotReady,
  kDraining,
  kStopped,
  kRequestRefused,    // shed, expired, or the server drains
  kRequestFailed,     // a kernel or device failed
  kRequestInvalid,    // not acceptable
  kCallRefused,       // ended before it was a request
  kDecisionReplaced,  // a bug of the policy
  kLibrary,           // a line of gRPC's or protobuf's own (library_log.h)
  kNotice,
};
inline constexpr size_t kLogEvents = 11;

absl::string_view LogEventName(LogEvent event);

// "text", "json"; "error", "warning", "info". InvalidArgument, naming the text, for others.
absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view text);
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view text);

// The members of a line, in the order of adding.
class LogFields {
 public:
  LogFields& Add(absl::string_view name, absl::string_view text) {
    fields_.push_back({std::string(name), std::string(text), /*is_text=*/true});
    return *this;
  }
  LogFields& Add(absl::string_view name, int64_t number) {
    fields_.push_back({std::string(name), absl::StrCat(number), /*is_text=*/false});
    return *this;
  }

 private:
  friend class EventLog;
  struct Field {
    std::string name;
    std::string value;
    bool is_text;
  };
  std::vector<Field> fields_;
};

// What a notice shows as text. In JSON it has all of it.
struct NoticeStyle {
  bool has_time = false;
  bool has_level = false;  // but for kInfo
};

// A notice as text, with its end.
std::string NoticeLine(LogLevel level, absl::string_view text, NoticeStyle style, WallTime at);

struct EventLogOptions {
  LogFormat format = LogFormat::kText;
  LogLevel least = LogLevel::kInfo;  // nothing less severe is written
};

// Any thread.
class EventLog {
 public:
  static constexpr int kLinesPerSecond = 10;
  static constexpr size_t kMaxWaitingLines = 1000;

  // Gets a line with its end, on the thread of the log; it may block.
  using Sink = absl::AnyInvocable<void(absl::string_view)>;

  EventLog(EventLogOptions options, Sink sink, WallTime (*wall_now)());
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;
  ~EventLog();  // after all lines are written

  // Whether a line of this event would be written now. If not, it is counted. Ask before making its fields.
  bool Admits(LogLevel level, LogEvent event);

  // After Admits.
  void Write(LogLevel level, LogEvent event, LogFields fields);

  // Writes a notice, unless its level is not wanted.
  void Say(LogLevel level, absl::string_view text, NoticeStyle style = {});

  // Blocks until all lines so far are written.
  void Flush();

 private:
  struct Rate {
    int64_t second = 0;  // since 1970
    int lines = 0;       // in it
    int64_t left_out = 0;
  };

  std::string Line(LogLevel level, LogEvent event, WallTime at, const LogFields& fields) const;
  bool HasRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run();

  const EventLogOptions options_;
  WallTime (*const wall_now_)();
  absl::Mutex mutex_;
  std::array<Rate, kLogEvents> rates_ ABSL_GUARDED_BY(mutex_){};
  std::deque<std::string> waiting_ ABSL_GUARDED_BY(mutex_);
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;  // for want of room
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Sink sink_;  // thread_ only
  std::thread thread_;
};

// A notice in `log`, or on standard error where that is null.
void Say(EventLog* log, LogLevel level, absl::string_view text, NoticeStyle style = {});

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_EVENT_LOG_H_
