#include "server/event_log.h"

#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"

namespace anybit::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

WallTime now{};  // what the log's clock shows

class EventLogTest : public ::testing::Test {
 protected:
  void SetUp() override { now = WallTime(seconds(1700000000)); }

  // The lines that `write` makes.
  std::vector<std::string> Lines(EventLogOptions options, absl::AnyInvocable<void(EventLog&)> write) {
    std::vector<std::string> lines;
    EventLog log(
        options, [&](absl::string_view line) { lines.emplace_back(line); }, [] { return now; });
    write(log);
    log.Flush();
    return lines;
  }
  static void Refuse(EventLog& log, LogFields fields) {
    if (log.Admits(LogLevel::kWarning, LogEvent::kRequestRefused)) {
      log.Write(LogLevel::kWarning, LogEvent::kRequestRefused, std::move(fields));
    }
  }
};

TEST_F(EventLogTest, ALineOfTextHasTimeLevelEventAndFields) {
  EXPECT_THAT(Lines({},
                    [](EventLog& log) {
                      now += milliseconds(7);
                      Refuse(log,
                             LogFields().Add("sla_class", "batch").Add("rows", 3).Add("reason", "queue is \"full\""));
                    }),
              ElementsAre("2023-11-14T22:13:20.007Z warning request_refused sla_class=batch rows=3 "
                          "reason=\"queue is \\\"full\\\"\"\n"));
}

TEST_F(EventLogTest, ALineOfJsonIsOneObject) {
  EXPECT_THAT(Lines({.format = LogFormat::kJson},
                    [](EventLog& log) { Refuse(log, LogFields().Add("rows", 3).Add("reason", "a \"b\"\nc")); }),
              ElementsAre("{\"time\":\"2023-11-14T22:13:20.000Z\",\"level\":\"warning\",\"event\":\"request_refused\","
                          "\"rows\":3,\"reason\":\"a \\\"b\\\"\\nc\"}\n"));
}

TEST_F(EventLogTest, NothingLessSevereThanTheLevelIsWritten) {
  EXPECT_THAT(Lines({.least = LogLevel::kError},
                    [](EventLog& log) {
                      Refuse(log, {});
                      EXPECT_TRUE(log.Admits(LogLevel::kError, LogEvent::kRequestFailed));
                    }),
              IsEmpty());
}

TEST_F(EventLogTest, AFloodOfOneEventHasTenLinesASecondAndTheNextLineSaysHowManyWereLeftOut) {
  const auto lines = Lines({}, [](EventLog& log) {
    for (int i = 0; i < 1000; ++i) Refuse(log, {});
    ASSERT_TRUE(log.Admits(LogLevel::kError, LogEvent::kRequestFailed)) << "events do not share their lines";
    now += seconds(1);
    Refuse(log, {});
    Refuse(log, {});
  });
  ASSERT_THAT(lines, SizeIs(12));
  EXPECT_THAT(lines[10], HasSubstr("left_out=990\n"));
  EXPECT_THAT(lines[11], HasSubstr("request_refused\n"));
}

TEST_F(EventLogTest, AWriterThatBlocksHoldsNobodyUpAndTheNextLineSaysHowManyLinesWereDropped) {
  std::vector<std::string> lines;
  absl::Notification blocked, released;
  {
    EventLog log(
        {},
        [&](absl::string_view line) {
          if (lines.empty()) {
            blocked.Notify();
            released.WaitForNotification();
          }
          lines.emplace_back(line);
        },
        [] { return now; });
    log.Write(LogLevel::kInfo, LogEvent::kServing, {});
    blocked.WaitForNotification();
    for (size_t i = 0; i < EventLog::kMaxWaitingLines + 5; ++i) log.Write(LogLevel::kInfo, LogEvent::kServing, {});
    released.Notify();
    log.Flush();
    log.Write(LogLevel::kInfo, LogEvent::kStopped, {});
  }
  ASSERT_THAT(lines, SizeIs(EventLog::kMaxWaitingLines + 2));
  EXPECT_THAT(lines.back(), HasSubstr("stopped dropped=5\n"));
}

TEST_F(EventLogTest, ANoticeIsALineOfWordsAndInJsonAnEvent) {
  const auto say = [](EventLog& log) {
    for (int i = 0; i < 2 * EventLog::kLinesPerSecond; ++i) log.Say(LogLevel::kInfo, "a \"b\"");
    log.Say(LogLevel::kError, "c", {.has_time = true, .has_level = true});
  };
  const auto text = Lines({}, say), json = Lines({.format = LogFormat::kJson}, say);
  ASSERT_THAT(text, SizeIs(2 * EventLog::kLinesPerSecond + 1));
  EXPECT_EQ(text.front(), "anybit-server: a \"b\"\n");
  EXPECT_EQ(text.back(), "2023-11-14T22:13:20.000000Z anybit-server: error: c\n");
  EXPECT_EQ(
      json.front(),
      "{\"time\":\"2023-11-14T22:13:20.000Z\",\"level\":\"info\",\"event\":\"notice\",\"text\":\"a \\\"b\\\"\"}\n");
  EXPECT_THAT(Lines({.least = LogLevel::kError}, say), ElementsAre(text.back()));
}

TEST_F(EventLogTest, EveryEventHasAName) {
  for (size_t event = 0; event < kLogEvents; ++event) EXPECT_FALSE(LogEventName(static_cast<LogEvent>(event)).empty());
}

TEST_F(EventLogTest, UnknownFormatsAndLevelsAreRefusedByName) {
  EXPECT_EQ(*ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(*ParseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_THAT(std::string(ParseLogFormat("xml").status().message()), HasSubstr("'xml'"));
  EXPECT_THAT(std::string(ParseLogLevel("loud").status().message()), HasSubstr("'loud'"));
}

}  // namespace
}  // namespace anybit::server
