#include "scheduler/sim/traces/arrival_files.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/arrivals/workloads.h"
#include "gtest/gtest.h"

namespace anybit::scheduler::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;

std::string PathOf(const std::string& name) { return testing::TempDir() + "/arrival_files_test_" + name; }

std::string FileWith(const std::string& text, const std::string& name = "file") {
  std::ofstream(PathOf(name), std::ios::binary) << text;
  return PathOf(name);
}

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

constexpr char kHeader[] = "id,arrival_us,deadline_us,min_accuracy\n";

std::vector<OfferedRequest> Requests(const std::string& text) {
  const absl::StatusOr<std::vector<OfferedRequest>> requests = ReadRequests(FileWith(text));
  EXPECT_TRUE(requests.ok()) << requests.status();
  return requests.ok() ? *requests : std::vector<OfferedRequest>();
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

std::string RequestError(const std::string& text) { return ErrorAfterPath(ReadRequests(FileWith(text))); }
std::string RequestLineError(const std::string& line) { return RequestError(absl::StrCat(kHeader, line, "\n")); }

bool Equal(const OfferedRequest& a, const OfferedRequest& b) {
  return a.id == b.id && a.arrival == b.arrival && a.deadline == b.deadline && a.min_accuracy == b.min_accuracy &&
         a.sla_class == b.sla_class && a.tenant == b.tenant;
}

TEST(ReadRequestsTest, ALineIsARequestWithAbsoluteInstants) {
  const std::vector<OfferedRequest> requests = Requests(absl::StrCat(kHeader, "7,1500,2500.25,0.75\n"));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].id, 7);
  EXPECT_EQ(requests[0].arrival, MonoTime(microseconds(1500)));
  EXPECT_EQ(requests[0].deadline, MonoTime(nanoseconds(2500250)));
  EXPECT_EQ(requests[0].min_accuracy, 0.75);
  EXPECT_EQ(requests[0].sla_class, SlaClassId{0});
  EXPECT_EQ(requests[0].tenant, TenantId{0});
}

TEST(ReadRequestsTest, EmptyCellsMeanNoDeadlineAndNoFloor) {
  const std::vector<OfferedRequest> requests = Requests(absl::StrCat(kHeader, "1,10,,\n"));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].deadline, kNever);
  EXPECT_EQ(requests[0].min_accuracy, 0);
}

TEST(ReadRequestsTest, ClassAndTenantAreOptionalColumns) {
  const std::vector<OfferedRequest> both =
      Requests("id,arrival_us,deadline_us,min_accuracy,tenant,sla_class\n1,10,20,0,255,3\n2,10,20,0,,\n");
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].tenant, TenantId{255});
  EXPECT_EQ(both[0].sla_class, SlaClassId{3});
  EXPECT_EQ(both[1].tenant, TenantId{0});
}

TEST(ReadRequestsTest, RequestsComeByArrivalAndEqualOnesInTheirOrder) {
  const std::vector<OfferedRequest> requests =
      Requests(absl::StrCat(kHeader, "9,20,30,0\n8,10,30,0\n7,20,30,0\n6,10,30,0\n"));
  std::vector<int64_t> ids, places;
  for (const OfferedRequest& request : requests) {
    ids.push_back(request.id);
    places.push_back(request.place);
  }
  EXPECT_EQ(ids, (std::vector<int64_t>{8, 6, 9, 7}));
  EXPECT_EQ(places, (std::vector<int64_t>{1, 3, 0, 2})) << "where they stood in the file";
}

TEST(ReadRequestsTest, LineEndsBlankLinesBlanksAndAMarkDoNotMatter) {
  const std::vector<OfferedRequest> requests =
      Requests("\xEF\xBB\xBFid,arrival_us,deadline_us,min_accuracy\r\n1, 10, 20,0.5\r\n\r\n2,11,21,0\r\n\r\n \n\n");
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].min_accuracy, 0.5);
  EXPECT_EQ(requests[1].arrival, MonoTime(microseconds(11)));
  EXPECT_EQ(Requests(absl::StrCat(kHeader, "1,10,20,0")).size(), 1u);  // no end of the last line
  EXPECT_TRUE(Requests(kHeader).empty());
}

TEST(ReadRequestsTest, TimesAreExactToTheNanosecondHoweverLate) {
  const std::vector<OfferedRequest> requests =
      Requests(absl::StrCat(kHeader, "1,9223372036854774.001,,0\n2,0.0005,0.00149,0\n3,.5,1.,0\n4,1.5e3,2E3,0\n"));
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_EQ(requests[0].id, 2);
  EXPECT_EQ(requests[0].arrival, MonoTime(nanoseconds(1)));   // rounded up
  EXPECT_EQ(requests[0].deadline, MonoTime(nanoseconds(1)));  // rounded down
  EXPECT_EQ(requests[1].arrival, MonoTime(nanoseconds(500)));
  EXPECT_EQ(requests[1].deadline, MonoTime(microseconds(1)));
  EXPECT_EQ(requests[2].arrival, MonoTime(microseconds(1500)));
  EXPECT_EQ(requests[2].deadline, MonoTime(milliseconds(2)));
  EXPECT_EQ(requests[3].arrival.time_since_epoch().count(), 9223372036854774001);
}

TEST(ReadRequestsTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_EQ(ReadRequests(PathOf("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(ReadRequests(PathOf("none")).status().message().find(PathOf("none")), std::string::npos);
}

TEST(ReadRequestsTest, AFolderIsNotReadAsAnEmptyFile) { EXPECT_FALSE(ReadRequests(testing::TempDir()).ok()); }

TEST(ReadRequestsTest, AHeaderThatIsNotOursIsRefused) {
  EXPECT_EQ(RequestError(""), ":0: no header, must be id,arrival_us,deadline_us,min_accuracy");
  EXPECT_EQ(RequestError("1,10,20,0\n"),
            ":1: column 1 is '1', the header must be id,arrival_us,deadline_us,min_accuracy[,sla_class][,tenant]");
  EXPECT_EQ(RequestError("id,arrival_us\n"),
            ":1: header has 2 columns, must be id,arrival_us,deadline_us,min_accuracy[,sla_class][,tenant]");
  EXPECT_NE(RequestError("id,arrival_us,deadline_us,min_accuracy,colour\n").find("column 5 is 'colour'"),
            std::string::npos);
  EXPECT_NE(RequestError("id,arrival_us,deadline_us,min_accuracy,tenant,tenant\n").find("column 6 is 'tenant'"),
            std::string::npos);
}

TEST(ReadRequestsTest, AnErrorNamesFileLineValueAndLimit) {
  EXPECT_EQ(RequestLineError("1,10,20"), ":2: has 3 columns, the header has 4");
  EXPECT_EQ(RequestLineError("1,10,20,0,0"), ":2: has 5 columns, the header has 4");
  EXPECT_EQ(RequestLineError("a,10,20,0"), ":2: id 'a', must be a whole number of 64 bits");
  EXPECT_EQ(RequestLineError("1.5,10,20,0"), ":2: id '1.5', must be a whole number of 64 bits");
  EXPECT_EQ(RequestLineError("1,20,19.999,0"), ":2: deadline_us 19.999 is before arrival_us 20");
  EXPECT_EQ(RequestLineError("1,10,20,1.01"), ":2: min_accuracy '1.01', must be 0 to 1");
  for (const char* accuracy : {"-0.1", "nan", "high"}) {
    EXPECT_EQ(RequestLineError(absl::StrCat("1,10,20,", accuracy)),
              absl::StrCat(":2: min_accuracy '", accuracy, "', must be 0 to 1"));
  }
  EXPECT_EQ(RequestError(absl::StrCat(kHeader, "1,10,20,0\n\n2,10,20,0\n1,10,20,0\n")),
            ":5: id 1 is also in line 2, must be unique");
  for (const char* small : {"256", "-1", "gold"}) {
    EXPECT_EQ(RequestError(absl::StrCat("id,arrival_us,deadline_us,min_accuracy,tenant\n1,10,20,0,", small)),
              absl::StrCat(":2: tenant '", small, "', must be a whole number of 0 to 255"));
  }
}

TEST(ReadRequestsTest, ATimeThatNoClockShowsIsRefused) {
  for (const char* time : {"", "-1", "+1", "1 0", "1_0", "0x10", "1.5.", "1.-5", ".", "nan", "inf", "e", "1e", "-1e3",
                           "1e300", "9223372036854775", "99999999999999999999"}) {
    EXPECT_EQ(RequestLineError(absl::StrCat("1,", time, ",,0")),
              absl::StrCat(":2: arrival_us '", time, "', must be a time of 0 to 9223372036854774 us"));
    if (*time != '\0') {
      EXPECT_EQ(RequestLineError(absl::StrCat("1,0,", time, ",0")),
                absl::StrCat(":2: deadline_us '", time, "', must be a time of 0 to 9223372036854774 us"));
    }
  }
}

TEST(WriteRequestsTest, AWorkloadIsReadBackToTheNanosecond) {
  const absl::StatusOr<std::vector<MonoTime>> arrivals =
      MakeArrivals("poisson", {.count = 2000, .per_second = 0.01, .objective = milliseconds(70), .seed = 1});
  ASSERT_TRUE(arrivals.ok()) << arrivals.status();
  std::vector<OfferedRequest> requests;
  for (const MonoTime arrival : *arrivals) {
    const auto i = static_cast<int64_t>(requests.size());
    requests.push_back({.id = i * 3,
                        .arrival = arrival,
                        .deadline = i % 5 == 0 ? kNever : arrival + nanoseconds(7'123'456),
                        .min_accuracy = static_cast<double>(i) / 3000,
                        .sla_class = SlaClassId{static_cast<uint8_t>(i % 4)},
                        .tenant = TenantId{static_cast<uint8_t>(i)}});
  }
  ASSERT_TRUE(WriteRequests(PathOf("copy"), requests).ok());
  const absl::StatusOr<std::vector<OfferedRequest>> read = ReadRequests(PathOf("copy"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(std::equal(requests.begin(), requests.end(), read->begin(), read->end(), Equal));
}

TEST(WriteRequestsTest, PlainRequestsHaveFourColumnsAndShortNumbers) {
  const std::vector<OfferedRequest> requests = {
      {.id = 1, .arrival = MonoTime(microseconds(10)), .deadline = MonoTime(nanoseconds(20500)), .min_accuracy = 0.1},
      {.id = 2, .arrival = MonoTime(nanoseconds(100001))},
  };
  ASSERT_TRUE(WriteRequests(PathOf("plain"), requests).ok());
  EXPECT_EQ(TextOf(PathOf("plain")), absl::StrCat(kHeader, "1,10,20.5,0.1\n2,100.001,,0\n"));
}

TEST(WriteRequestsTest, RequestsThatCouldNotBeReadBackAreNotWritten) {
  const auto error = [](std::vector<OfferedRequest> requests) {
    const absl::Status status = WriteRequests(PathOf("unwritten"), requests);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(error({{.id = 4, .arrival = MonoTime(nanoseconds(-1))}}),
            "request 4 arrives at -1 ns, allowed are 0 to 9223372036854774000");
  EXPECT_EQ(error({{.id = 4, .arrival = MonoTime(nanoseconds(2)), .deadline = MonoTime(nanoseconds(1))}}),
            "request 4 has its deadline before its arrival");
  EXPECT_EQ(error({{.id = 4, .min_accuracy = 2}}), "request 4 has least accuracy 2, must be 0 to 1");
  EXPECT_EQ(error({{.id = 4}, {.id = 4}}), "request 4 occurs twice");
  EXPECT_NE(error({{.id = 4, .deadline = kNever - nanoseconds(1)}}).find("has its deadline at"), std::string::npos);
  EXPECT_FALSE(std::ifstream(PathOf("unwritten")).is_open());
  EXPECT_EQ(WriteRequests(PathOf("no/such/folder"), {}).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace anybit::scheduler::sim
