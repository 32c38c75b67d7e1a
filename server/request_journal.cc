#include "server/request_journal.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "server/shown_text.h"
#include "server/trace_parent.h"

namespace anybit::server {
namespace {

using Values = std::vector<std::string>;

constexpr char kLevel[] = "trace_level";
constexpr char kRate[] = "trace_rate";
constexpr char kCount[] = "trace_count";
constexpr char kFrequency[] = "log_frequency";
constexpr char kFile[] = "trace_file";
constexpr char kMode[] = "trace_mode";
constexpr char kTimestamps[] = "TIMESTAMPS";

RequestJournal::Settings Defaults() {
  return {{kLevel, {"OFF"}}, {kRate, {"1000"}}, {kCount, {"-1"}}, {kFrequency, {"0"}}};
}

absl::Status Wrong(const std::string& key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("trace setting '", key, "' ", what));
}

absl::Status CheckNumber(const std::string& key, const Values& values, int64_t low) {
  int64_t number = 0;
  if (values.size() == 1 && absl::SimpleAtoi(values[0], &number) && number >= low) return absl::OkStatus();
  return Wrong(key, absl::StrCat("is ", ShownText(absl::StrJoin(values, ",")), ", not one whole number >= ", low));
}

int64_t Nanos(MonoTime at) { return at.time_since_epoch().count(); }

}  // namespace

absl::Status AppendLineToFile(const std::string& path, const std::string& line) {
  std::ofstream file(path, std::ios::app);
  file << line << std::flush;
  return file ? absl::OkStatus() : absl::UnavailableError("cannot write to the trace file");
}

RequestJournal::RequestJournal(std::string trace_file, AdminLog& log, AppendLine append)
    : trace_file_(std::move(trace_file)), log_(log), append_(std::move(append)), global_(Defaults()) {}

std::unique_ptr<RequestNote> RequestJournal::Begin(absl::string_view id, absl::string_view trace_parent,
                                                   MonoTime arrival) {
  bool is_traced = false;
  if (traces_.load(std::memory_order_relaxed)) {
    absl::MutexLock lock(&mutex_);
    const int64_t count = Number(kCount);
    const bool is_left = count < 0 || sampled_ < static_cast<uint64_t>(count);
    is_traced = is_left && seen_++ % static_cast<uint64_t>(Number(kRate)) == 0;
    if (is_traced) ++sampled_;
    if (!is_left) traces_ = false;
  }
  const bool is_logged = log_.WantsVerbose();
  if (!is_traced && !is_logged) return nullptr;
  return std::make_unique<RequestNote>(
      RequestNote{.id = std::string(id),
                  .trace_parent = IsTraceParent(trace_parent) ? std::string(trace_parent) : "",
                  .arrival = arrival,
                  .is_traced = is_traced,
                  .is_logged = is_logged});
}

void RequestJournal::End(const RequestNote& note, const ServedModel& model, const scheduler::Outcome& outcome) {
  if (note.is_traced) WriteTrace(note, model, outcome);
  if (!note.is_logged) return;
  const bool served = outcome.kind == scheduler::OutcomeKind::kServed;
  const std::string point =
      served ? absl::StrCat(", ", model.network.points[ToIndex(outcome.point)].name, ", queue ",
                            ToMicros(outcome.queue_time), " us, compute ", ToMicros(outcome.compute_time), " us")
             : absl::StrCat(": ", outcome.status.message());
  log_.Verbose(absl::StrCat("request ", ShownText(note.id), " of ", model.network.name, " version ",
                            model.network.version, " ", scheduler::OutcomeName(outcome.kind), point));
}

void RequestJournal::WriteTrace(const RequestNote& note, const ServedModel& model, const scheduler::Outcome& outcome) {
  Json trace = Json::object();
  std::string path;
  {
    absl::MutexLock lock(&mutex_);
    const int64_t frequency = Number(kFrequency);
    path = frequency > 0 ? absl::StrCat(trace_file_, ".", written_ / frequency) : trace_file_;
    trace["id"] = ++written_;
  }
  trace["model_name"] = model.network.name;
  trace["model_version"] = model.network.version;
  trace["request_id"] = note.id;
  if (!note.trace_parent.empty()) trace["traceparent"] = note.trace_parent;
  trace["outcome"] = scheduler::OutcomeName(outcome.kind);
  Json timestamps = Json::array();
  const auto add = [&](const char* name, MonoTime at) { timestamps.push_back({{"name", name}, {"ns", Nanos(at)}}); };
  add("REQUEST_START", note.arrival);
  if (outcome.kind == scheduler::OutcomeKind::kServed) {
    trace["operating_point"] = model.network.points[ToIndex(outcome.point)].name;
    trace["batch_size"] = outcome.batch_rows;
    add("COMPUTE_START", outcome.ended - outcome.compute_time);
    add("COMPUTE_END", outcome.ended);
  }
  add("REQUEST_END", outcome.ended);
  trace["timestamps"] = std::move(timestamps);
  const absl::Status written = append_(path, trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  if (written.ok()) return;
  // One warning, not one for each request.
  if (traces_.exchange(false)) log_.Warning(absl::StrCat("traces are off: ", written.message()));
}

absl::Status RequestJournal::Check(const std::string& key, const Values& values) const {
  if (key == kFile || key == kMode) return Wrong(key, "cannot be changed: --trace_file names the file");
  if (key == kRate) return CheckNumber(key, values, 1);
  if (key == kCount) return CheckNumber(key, values, -1);
  if (key == kFrequency) return CheckNumber(key, values, 0);
  if (key != kLevel) {
    return absl::InvalidArgumentError(absl::StrCat(
        "unknown trace setting ", ShownText(key),
        ", known: trace_level, trace_rate, trace_count, log_frequency, and trace_file, trace_mode to read"));
  }
  for (const std::string& level : values) {
    if (level == "TENSORS") return Wrong(key, "TENSORS is not offered: a trace has no tensors");
    if (level != "OFF" && level != kTimestamps) {
      return Wrong(key, absl::StrCat("is ", ShownText(level), ", not OFF or TIMESTAMPS"));
    }
    if (level == kTimestamps && trace_file_.empty()) {
      return Wrong(key, "TIMESTAMPS needs a file: start the server with --trace_file");
    }
  }
  return absl::OkStatus();
}

absl::Status RequestJournal::Change(const inference::TraceSettingRequest& request) {
  absl::MutexLock lock(&mutex_);
  Settings global = global_, of_model = of_model_;
  Settings& changed = request.model_name().empty() ? global : of_model;
  for (const auto& [key, setting] : request.settings()) {
    const Values values(setting.value().begin(), setting.value().end());
    const Settings defaults = Defaults();
    const bool is_cleared = values.empty() && defaults.contains(key);
    if (absl::Status status = Check(key, values); !is_cleared && !status.ok()) return status;
    if (!is_cleared) {
      changed[key] = values;
    } else if (!request.model_name().empty()) {
      of_model.erase(key);
    } else {
      global[key] = defaults.at(key);
    }
  }
  if (request.settings().empty()) return absl::OkStatus();
  global_ = std::move(global);
  of_model_ = std::move(of_model);
  seen_ = sampled_ = 0;
  const Values& level = Effective(kLevel);
  traces_ = std::find(level.begin(), level.end(), kTimestamps) != level.end();
  return absl::OkStatus();
}

const Values& RequestJournal::Effective(const std::string& key) const {
  const auto own = of_model_.find(key);
  return own != of_model_.end() ? own->second : global_.at(key);
}

int64_t RequestJournal::Number(const std::string& key) const {
  int64_t number = 0;
  (void)absl::SimpleAtoi(Effective(key)[0], &number);
  return number;
}

inference::TraceSettingResponse RequestJournal::TraceSettings(bool of_model) const {
  inference::TraceSettingResponse response;
  const auto set = [&](const std::string& key, const Values& values) {
    auto& shown = (*response.mutable_settings())[key];
    for (const std::string& value : values) shown.add_value(value);
  };
  absl::MutexLock lock(&mutex_);
  for (const auto& [key, values] : global_) set(key, of_model ? Effective(key) : values);
  set(kFile, {trace_file_});
  set(kMode, {"triton"});
  return response;
}

}  // namespace anybit::server
