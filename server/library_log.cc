#include "server/library_log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>

#include "absl/base/const_init.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace anybit::server {
namespace {

// What a line shows of a text: a client may have put anything into it.
constexpr size_t kMaxTextBytes = 300;

ABSL_CONST_INIT absl::Mutex mutex(absl::kConstInit);
EventLog* target ABSL_GUARDED_BY(mutex) = nullptr;

void Write(LogLevel level, const char* library, absl::string_view text) {
  absl::MutexLock lock(&mutex);
  if (target == nullptr || !target->Admits(level, LogEvent::kLibrary)) return;
  target->Write(level, LogEvent::kLibrary,
                LogFields().Add("library", library).Add("text", text.substr(0, kMaxTextBytes)));
}

void OfGrpc(gpr_log_func_args* line) {
  Write(line->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kError : LogLevel::kInfo, "grpc", line->message);
}

void OfProtobuf(google::protobuf::LogLevel level, const char*, int, const std::string& text) {
  const bool is_error = level == google::protobuf::LOGLEVEL_ERROR || level == google::protobuf::LOGLEVEL_FATAL;
  Write(is_error                                      ? LogLevel::kError
        : level == google::protobuf::LOGLEVEL_WARNING ? LogLevel::kWarning
                                                      : LogLevel::kInfo,
        "protobuf", text);
}

}  // namespace

LibraryLog::LibraryLog(EventLog& log) {
  {
    absl::MutexLock lock(&mutex);
    target = &log;
  }
  gpr_log_verbosity_init();  // otherwise nothing comes before gRPC is used
  gpr_set_log_function(OfGrpc);
  google::protobuf::SetLogHandler(OfProtobuf);
}

LibraryLog::~LibraryLog() {
  absl::MutexLock lock(&mutex);
  target = nullptr;
}

}  // namespace anybit::server
