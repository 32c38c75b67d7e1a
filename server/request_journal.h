// What is written about single requests when they end: traces into a file, and a line of the log at verbose level 1.
//
// The settings of traces are those of the protocol's TraceSetting: every trace_rate-th request is traced while
// trace_level is TIMESTAMPS, trace_count of them at most. A trace is one line of JSON (docs/operations.md). The
// settings of the model, where they are set, are used in place of the global ones.
//
//   if (!journal.is_idle()) note = journal.Begin(request.id(), traceparent, arrival);
//   ...
//   if (note != nullptr) journal.End(*note, model, outcome);
#ifndef ANYBIT_SERVER_REQUEST_JOURNAL_H_
#define ANYBIT_SERVER_REQUEST_JOURNAL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/time.h"
#include "proto/inference.pb.h"
#include "scheduler/request.h"
#include "server/admin_log.h"
#include "server/served_model.h"

namespace anybit::server {

// A request that will be written.
struct RequestNote {
  std::string id;
  std::string trace_parent;  // W3C's header, "" for none or one that is not valid
  MonoTime arrival{};
  bool is_traced = false;
  bool is_logged = false;
};

// Appends one line to file `path`, or tells why it cannot.
using AppendLine = std::function<absl::Status(const std::string& path, const std::string& line)>;
absl::Status AppendLineToFile(const std::string& path, const std::string& line);

// Any thread.
class RequestJournal {
 public:
  using Settings = std::map<std::string, std::vector<std::string>>;

  // `trace_file`: where traces go; "": they cannot be turned on. `log` outlives this.
  RequestJournal(std::string trace_file, AdminLog& log, AppendLine append = AppendLineToFile);

  // Nothing is to be written. As cheap as can be.
  bool is_idle() const { return !traces_.load(std::memory_order_relaxed) && !log_.WantsVerbose(); }

  // A request begins; null: it will not be written.
  std::unique_ptr<RequestNote> Begin(absl::string_view id, absl::string_view trace_parent, MonoTime arrival);
  void End(const RequestNote& note, const ServedModel& model, const scheduler::Outcome& outcome);

  // TraceSetting: all of the request's settings or, with InvalidArgument naming the first that is wrong, none. One
  // without a value is cleared: the model's falls back to the global one, a global one to its default.
  absl::Status Change(const inference::TraceSettingRequest& request);
  // Those of the model, or the global ones.
  inference::TraceSettingResponse TraceSettings(bool of_model) const;

 private:
  absl::Status Check(const std::string& key, const std::vector<std::string>& values) const;
  const std::vector<std::string>& Effective(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t Number(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteTrace(const RequestNote& note, const ServedModel& model, const scheduler::Outcome& outcome);

  const std::string trace_file_;
  AdminLog& log_;
  const AppendLine append_;
  std::atomic<bool> traces_ = false;  // trace_level is TIMESTAMPS and the count is not used up

  mutable absl::Mutex mutex_;
  Settings global_ ABSL_GUARDED_BY(mutex_), of_model_ ABSL_GUARDED_BY(mutex_);
  uint64_t seen_ ABSL_GUARDED_BY(mutex_) = 0;     // since the last change
  uint64_t sampled_ ABSL_GUARDED_BY(mutex_) = 0;  // likewise
  uint64_t written_ ABSL_GUARDED_BY(mutex_) = 0;  // ever; a trace's id
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REQUEST_JOURNAL_H_
