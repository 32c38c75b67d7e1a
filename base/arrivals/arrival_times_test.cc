#include "base/arrivals/arrival_times.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace anybit {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;

std::string PathOf(const std::string& name) { return testing::TempDir() + "/arrival_times_test_" + name; }

std::string FileWith(const std::string& text, const std::string& name = "file") {
  std::ofstream(PathOf(name), std::ios::binary) << text;
  return PathOf(name);
}

// The error's text after the file's name; "" and a failure if it is not InvalidArgument there.
template <typename Result>
std::string ErrorAfterPath(const Result& result) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << result.status();
  const std::string text(result.status().message());
  const std::string path = PathOf("file");
  EXPECT_EQ(text.substr(0, path.size()), path);
  return text.substr(std::min(path.size(), text.size()));
}

TEST(ReadArrivalTimesTest, EachLineIsATimeInMillisecondsAndTheyComeAscending) {
  const absl::StatusOr<std::vector<MonoTime>> times = ReadArrivalTimes(FileWith("2.5\r\n0\n1000.000001\n\n"));
  ASSERT_TRUE(times.ok()) << times.status();
  EXPECT_EQ(*times,
            (std::vector<MonoTime>{MonoTime(), MonoTime(microseconds(2500)), MonoTime(nanoseconds(1'000'000'001))}));
}

TEST(ReadArrivalTimesTest, ALineThatIsNoTimeIsNamed) {
  EXPECT_EQ(ErrorAfterPath(ReadArrivalTimes(FileWith("1\n2,3\n"))),
            ":2: arrival '2,3', must be a time of 0 to 9223372036853 ms");
  EXPECT_EQ(ReadArrivalTimes(PathOf("none")).status().code(), absl::StatusCode::kNotFound);
}

// A line of a day's file in the trace's schema.
struct Row {
  std::string trigger;
  std::vector<std::pair<int, int>> counts;  // (minute from 1, count); other minutes have 0
};

std::string DayText(const std::vector<Row>& rows) {
  std::string text = "HashOwner,HashApp,HashFunction,Trigger";
  for (int minute = 1; minute <= 1440; ++minute) absl::StrAppend(&text, ",", minute);
  for (const Row& row : rows) {
    std::vector<int> counts(1441);
    for (const auto& [minute, count] : row.counts) counts[static_cast<size_t>(minute)] = count;
    absl::StrAppend(&text, "\r\nab,cd,ef,", row.trigger);
    for (int minute = 1; minute <= 1440; ++minute) absl::StrAppend(&text, ",", counts[static_cast<size_t>(minute)]);
  }
  return text + "\r\n";
}

std::vector<MonoTime> Invocations(const std::vector<std::string>& paths, const AzureOptions& options) {
  const absl::StatusOr<std::vector<MonoTime>> arrivals = ReadAzureInvocations(paths, options);
  EXPECT_TRUE(arrivals.ok()) << arrivals.status();
  return arrivals.ok() ? *arrivals : std::vector<MonoTime>();
}

std::string AzureError(const std::string& text) {
  return ErrorAfterPath(ReadAzureInvocations(std::vector<std::string>{FileWith(text)}, AzureOptions{}));
}

TEST(ReadAzureInvocationsTest, EachMinuteHasItsCountAndTimersItsStart) {
  const std::string day = FileWith(DayText({{"http", {{2, 500}, {4, 1}}}, {"timer", {{1, 2}, {3, 1}}}}));
  const std::vector<MonoTime> arrivals = Invocations({day}, {.first_minute = 0, .minutes = 4, .seed = 1});
  ASSERT_EQ(arrivals.size(), 504u);
  EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end()));
  EXPECT_EQ(arrivals[0], MonoTime());
  EXPECT_EQ(arrivals[1], MonoTime());
  EXPECT_GE(arrivals[2], MonoTime(minutes(1)));
  EXPECT_LT(arrivals[501], MonoTime(minutes(2)));
  EXPECT_EQ(arrivals[502], MonoTime(minutes(2)));
  EXPECT_GT(arrivals[503], MonoTime(minutes(3)));
  // Of 500 uniform instants about half come in the minute's first half: four deviations of 11.
  const auto half = std::count_if(arrivals.begin() + 2, arrivals.begin() + 502,
                                  [](MonoTime t) { return t < MonoTime(std::chrono::seconds(90)); });
  EXPECT_NEAR(static_cast<double>(half), 250, 45);
}

TEST(ReadAzureInvocationsTest, TheMinutesAskedForMayCrossMidnightAndStartAtZero) {
  const std::string first = FileWith(DayText({{"timer", {{1438, 9}, {1439, 1}, {1440, 2}}}}), "first");
  const std::string second = FileWith(DayText({{"timer", {{1, 3}, {2, 9}}}}), "second");
  const std::vector<MonoTime> arrivals = Invocations({first, second}, {.first_minute = 1438, .minutes = 3, .seed = 1});
  EXPECT_EQ(arrivals, (std::vector<MonoTime>{MonoTime(), MonoTime(minutes(1)), MonoTime(minutes(1)),
                                             MonoTime(minutes(2)), MonoTime(minutes(2)), MonoTime(minutes(2))}));
  EXPECT_EQ(Invocations({first, second}, {.first_minute = 1441, .minutes = 1, .seed = 1}).size(), 9u);
}

TEST(ReadAzureInvocationsTest, InstantsComeFromTheSeed) {
  const std::vector<std::string> days = {FileWith(DayText({{"queue", {{1, 20}}}}))};
  const std::vector<MonoTime> arrivals = Invocations(days, {.minutes = 1, .seed = 5});
  EXPECT_EQ(arrivals, Invocations(days, {.minutes = 1, .seed = 5}));
  EXPECT_NE(arrivals, Invocations(days, {.minutes = 1, .seed = 6}));
}

TEST(ReadAzureInvocationsTest, MinutesBeyondTheFilesAreRefused) {
  const std::vector<std::string> days = {FileWith(DayText({}))};
  EXPECT_EQ(ReadAzureInvocations(days, {.first_minute = 1400, .minutes = 41}).status().message(),
            "41 minutes from 1400 on, the 1 files have 1440");
  EXPECT_TRUE(ReadAzureInvocations(days, {.first_minute = 1400, .minutes = 40}).ok());
  EXPECT_FALSE(ReadAzureInvocations(days, {.first_minute = -1, .minutes = 1}).ok());
  EXPECT_FALSE(ReadAzureInvocations(days, {.first_minute = 0, .minutes = 0}).ok());
  EXPECT_FALSE(ReadAzureInvocations({}, {.first_minute = 0, .minutes = 1}).ok());
}

TEST(ReadAzureInvocationsTest, AnErrorNamesFileLineValueAndLimit) {
  EXPECT_EQ(AzureError(""), ":0: no header, must be HashOwner,HashApp,HashFunction,Trigger,1,...,1440");
  EXPECT_NE(AzureError("HashOwner,HashApp\n").find(":1: header has 2 columns, must be the 1444 of"), std::string::npos);
  std::string renamed = DayText({});
  renamed.replace(renamed.find("Trigger"), 7, "Cause");
  EXPECT_NE(AzureError(renamed).find(":1: column 4 is 'Cause'"), std::string::npos);
  EXPECT_EQ(AzureError(DayText({}) + "ab,cd,ef,http,1,2\n"), ":2: has 6 columns, must be 1444");
  EXPECT_EQ(AzureError(DayText({{"http", {{3, -2}}}})), ":2: minute 3 is '-2', must be a count of 0 or more");
  EXPECT_EQ(AzureError(DayText({{"http", {{3, 100'000'001}}}})),
            ":2: minute 3 is 100000001, more than 100000000 invocations in all; ask for fewer minutes");
}

TEST(StretchToTest, KeepsTheFirstInstantAndTheShapeAtAnotherMeanRate) {
  std::vector<MonoTime> arrivals = {MonoTime(milliseconds(100)), MonoTime(milliseconds(110)),
                                    MonoTime(milliseconds(200))};
  StretchTo(10, arrivals);
  EXPECT_EQ(arrivals, (std::vector<MonoTime>{MonoTime(milliseconds(100)), MonoTime(milliseconds(120)),
                                             MonoTime(milliseconds(300))}));
  std::vector<MonoTime> at_once(3, MonoTime(milliseconds(7)));
  StretchTo(10, at_once);
  EXPECT_EQ(at_once, std::vector<MonoTime>(3, MonoTime(milliseconds(7))));
}

}  // namespace
}  // namespace anybit
