#include "server/request_journal.h"

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "server/event_log.h"
#include "server/testing/infer_request.h"

namespace anybit::server {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Model;

constexpr char kTraceParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

scheduler::Outcome Served() {
  return {.kind = scheduler::OutcomeKind::kServed,
          .point = ToPointId(2),
          .batch_rows = 3,
          .queue_time = microseconds(100),
          .compute_time = microseconds(200),
          .ended = MonoTime(microseconds(1300))};
}

class RequestJournalTest : public ::testing::Test {
 protected:
  absl::Status Set(const std::string& key, const std::vector<std::string>& values, const std::string& model = "") {
    inference::TraceSettingRequest request;
    request.set_model_name(model);
    auto& setting = (*request.mutable_settings())[key];
    for (const std::string& value : values) setting.add_value(value);
    return journal_.Change(request);
  }
  std::vector<std::string> Setting(const std::string& key, bool of_model = false) {
    const auto settings = journal_.TraceSettings(of_model).settings();
    return {settings.at(key).value().begin(), settings.at(key).value().end()};
  }
  // Lets a request begin and end.
  void Request(const std::string& id, const std::string& trace_parent = "") {
    if (journal_.is_idle()) return;
    const auto note = journal_.Begin(id, trace_parent, MonoTime(microseconds(1000)));
    if (note != nullptr) journal_.End(*note, Model(), Served());
  }

  std::string log_lines_;
  AdminLog log_{[this](LogLevel level, absl::string_view text, NoticeStyle style) {
    log_lines_ += NoticeLine(level, text, style, WallTime());
  }};
  std::map<std::string, std::string> files_;
  absl::Status file_error_;
  RequestJournal journal_{"traces", log_, [this](const std::string& path, const std::string& line) {
                            files_[path] += line;
                            return file_error_;
                          }};
};

TEST_F(RequestJournalTest, ATraceIsALineOfJson) {
  ASSERT_TRUE(Set("trace_rate", {"1"}).ok());
  ASSERT_TRUE(Set("trace_level", {"TIMESTAMPS"}).ok());
  Request("a \"b\"", kTraceParent);
  EXPECT_EQ(files_["traces"],
            R"({"id":1,"model_name":"sums","model_version":7,"request_id":"a \"b\"",)"
            R"("traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","outcome":"served",)"
            R"("operating_point":"w4a4f","batch_size":3,"timestamps":[{"name":"REQUEST_START","ns":1000000},)"
            R"({"name":"COMPUTE_START","ns":1100000},{"name":"COMPUTE_END","ns":1300000},)"
            R"({"name":"REQUEST_END","ns":1300000}]})"
            "\n");
}

TEST_F(RequestJournalTest, OneRequestInTraceRateIsTracedUntilTheCountIsUsedUp) {
  EXPECT_TRUE(journal_.is_idle());
  ASSERT_TRUE(Set("trace_rate", {"3"}).ok());
  ASSERT_TRUE(Set("trace_count", {"2"}).ok());
  ASSERT_TRUE(Set("trace_level", {"TIMESTAMPS"}).ok());
  for (int i = 0; i < 20; ++i) Request(std::to_string(i));
  EXPECT_THAT(files_["traces"], HasSubstr(R"("request_id":"0")"));
  EXPECT_THAT(files_["traces"], HasSubstr(R"("request_id":"3")"));
  EXPECT_EQ(std::count(files_["traces"].begin(), files_["traces"].end(), '\n'), 2);
  EXPECT_TRUE(journal_.is_idle());
}

TEST_F(RequestJournalTest, AFrequencySpreadsTracesOverFiles) {
  ASSERT_TRUE(Set("trace_rate", {"1"}).ok());
  ASSERT_TRUE(Set("log_frequency", {"2"}).ok());
  ASSERT_TRUE(Set("trace_level", {"TIMESTAMPS"}).ok());
  for (int i = 0; i < 5; ++i) Request("");
  ASSERT_EQ(files_.size(), 3u);
  EXPECT_THAT(files_["traces.2"], HasSubstr("\"id\":5"));
}

TEST_F(RequestJournalTest, TheModelsSettingsStandInFrontOfTheGlobalOnesUntilTheyAreCleared) {
  ASSERT_TRUE(Set("trace_rate", {"50"}).ok());
  ASSERT_TRUE(Set("trace_rate", {"7"}, "sums").ok());
  EXPECT_THAT(Setting("trace_rate"), ElementsAre("50"));
  EXPECT_THAT(Setting("trace_rate", true), ElementsAre("7"));
  ASSERT_TRUE(Set("trace_rate", {}, "sums").ok());
  EXPECT_THAT(Setting("trace_rate", true), ElementsAre("50"));
  ASSERT_TRUE(Set("trace_rate", {}).ok());
  EXPECT_THAT(Setting("trace_rate"), ElementsAre("1000"));
}

TEST_F(RequestJournalTest, WrongSettingsChangeNothingAndAreNamed) {
  for (const auto& [key, values, part] : std::vector<std::tuple<std::string, std::vector<std::string>, std::string>>{
           {"trace_rate", {"0"}, "'trace_rate' is '0', not one whole number >= 1"},
           {"trace_count", {"-2"}, "'trace_count' is '-2', not one whole number >= -1"},
           {"trace_rate", {"1", "2"}, "not one whole number"},
           {"trace_level", {"ALL"}, "'trace_level' is 'ALL', not OFF or TIMESTAMPS"},
           {"trace_level", {"TENSORS"}, "TENSORS is not offered"},
           {"trace_file", {"/etc/passwd"}, "cannot be changed"},
           {"trace_file", {}, "cannot be changed"},
           {"colour", {}, "unknown trace setting 'colour'"}}) {
    const absl::Status status = Set(key, values);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << key;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
  EXPECT_THAT(Setting("trace_rate"), ElementsAre("1000"));
  RequestJournal without_file("", log_);
  inference::TraceSettingRequest request;
  (*request.mutable_settings())["trace_level"].add_value("TIMESTAMPS");
  EXPECT_THAT(std::string(without_file.Change(request).message()), HasSubstr("--trace_file"));
}

TEST_F(RequestJournalTest, AFileThatCannotBeWrittenTurnsTracesOffWithOneWarning) {
  file_error_ = absl::UnavailableError("the disk is full");
  ASSERT_TRUE(Set("trace_rate", {"1"}).ok());
  ASSERT_TRUE(Set("trace_level", {"TIMESTAMPS"}).ok());
  for (int i = 0; i < 3; ++i) Request("");
  EXPECT_EQ(log_lines_, "anybit-server: warning: traces are off: the disk is full\n");
}

TEST_F(RequestJournalTest, AtVerboseLevelOneEachRequestHasALine) {
  inference::LogSettingsRequest verbose;
  (*verbose.mutable_settings())["log_verbose_level"].set_uint32_param(1);
  ASSERT_TRUE(log_.Change(verbose).ok());
  Request("a");
  EXPECT_EQ(log_lines_, "anybit-server: request 'a' of sums version 7 served, w4a4f, queue 100 us, compute 200 us\n");
  EXPECT_TRUE(files_.empty());
}

}  // namespace
}  // namespace anybit::server
