// What the server tells its administrator while it runs, such as loads and changed settings: a notice each.
//
// Its settings are those of the protocol's LogSettings: info, warnings and errors can be turned off, lines can begin
// with the time, and from verbose level 1 on each request has a line.
#ifndef ANYBIT_SERVER_ADMIN_LOG_H_
#define ANYBIT_SERVER_ADMIN_LOG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "proto/inference.pb.h"
#include "server/event_log.h"

namespace anybit::server {

// Any thread.
class AdminLog {
 public:
  // Writes a notice. One at a time; must not block.
  using Write = std::function<void(LogLevel level, absl::string_view text, NoticeStyle style)>;

  explicit AdminLog(Write write) : write_(std::move(write)) {}

  void Info(absl::string_view text) { Log(Kind::kInfo, text); }
  void Warning(absl::string_view text) { Log(Kind::kWarning, text); }
  void Error(absl::string_view text) { Log(Kind::kError, text); }
  // Wanted from verbose level 1 on.
  void Verbose(absl::string_view text) { Log(Kind::kVerbose, text); }
  bool WantsVerbose() const { return verbose_level_.load(std::memory_order_relaxed) > 0; }

  // LogSettings: all of the request's settings or, with InvalidArgument naming the first that is wrong, none.
  absl::Status Change(const inference::LogSettingsRequest& request);
  inference::LogSettingsResponse Settings() const;

 private:
  enum class Kind { kInfo, kWarning, kError, kVerbose };
  struct Values {
    bool info = true, warning = true, error = true, iso_time = false;
    uint32_t verbose_level = 0;
  };

  static absl::Status ChangeOne(const std::string& key, const inference::LogSettingsRequest::SettingValue& value,
                                Values& values);
  void Log(Kind kind, absl::string_view text);

  const Write write_;
  mutable absl::Mutex mutex_;
  Values values_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint32_t> verbose_level_ = 0;  // of values_, for threads that ask without the mutex
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_ADMIN_LOG_H_
