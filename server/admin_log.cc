#include "server/admin_log.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

using Value = inference::LogSettingsRequest::SettingValue;

constexpr char kDefaultFormat[] = "default";
constexpr char kIsoFormat[] = "ISO8601";

absl::Status Expected(const std::string& key, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("log setting ", ShownText(key), " expects ", what));
}

absl::Status SetBool(const std::string& key, const Value& value, bool& to) {
  if (!value.has_bool_param()) return Expected(key, "a truth value");
  to = value.bool_param();
  return absl::OkStatus();
}

}  // namespace

absl::Status AdminLog::ChangeOne(const std::string& key, const Value& value, Values& values) {
  if (key == "log_info") return SetBool(key, value, values.info);
  if (key == "log_warning") return SetBool(key, value, values.warning);
  if (key == "log_error") return SetBool(key, value, values.error);
  if (key == "log_verbose_level") {
    if (!value.has_uint32_param()) return Expected(key, "a number >= 0");
    values.verbose_level = value.uint32_param();
    return absl::OkStatus();
  }
  if (key == "log_format") {
    if (!value.has_string_param() || (value.string_param() != kDefaultFormat && value.string_param() != kIsoFormat)) {
      return Expected(key, absl::StrCat("'", kDefaultFormat, "' or '", kIsoFormat, "'"));
    }
    values.iso_time = value.string_param() == kIsoFormat;
    return absl::OkStatus();
  }
  if (key == "log_file") return absl::InvalidArgumentError("log setting 'log_file' cannot be changed: it is stderr");
  return absl::InvalidArgumentError(
      absl::StrCat("unknown log setting ", ShownText(key),
                   ", known: log_info, log_warning, log_error, log_verbose_level, log_format, and log_file to read"));
}

absl::Status AdminLog::Change(const inference::LogSettingsRequest& request) {
  absl::MutexLock lock(&mutex_);
  Values values = values_;
  for (const auto& [key, value] : request.settings()) {
    if (absl::Status status = ChangeOne(key, value, values); !status.ok()) return status;
  }
  values_ = values;
  verbose_level_ = values.verbose_level;
  return absl::OkStatus();
}

inference::LogSettingsResponse AdminLog::Settings() const {
  inference::LogSettingsResponse response;
  auto& settings = *response.mutable_settings();
  absl::MutexLock lock(&mutex_);
  settings["log_file"].set_string_param("");
  settings["log_info"].set_bool_param(values_.info);
  settings["log_warning"].set_bool_param(values_.warning);
  settings["log_error"].set_bool_param(values_.error);
  settings["log_verbose_level"].set_uint32_param(values_.verbose_level);
  settings["log_format"].set_string_param(values_.iso_time ? kIsoFormat : kDefaultFormat);
  return response;
}

void AdminLog::Log(Kind kind, absl::string_view text) {
  absl::MutexLock lock(&mutex_);
  const bool wanted = kind == Kind::kInfo      ? values_.info
                      : kind == Kind::kWarning ? values_.warning
                      : kind == Kind::kError   ? values_.error
                                               : values_.verbose_level > 0;
  if (!wanted) return;
  const LogLevel level = kind == Kind::kError     ? LogLevel::kError
                         : kind == Kind::kWarning ? LogLevel::kWarning
                                                  : LogLevel::kInfo;
  write_(level, text, {.has_time = values_.iso_time, .has_level = true});
}

}  // namespace anybit::server
