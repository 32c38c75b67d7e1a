#include "server/profile_finder.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <stop_token>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/processor_model.h"
#include "model/engine/kernel_chooser.h"
#include "server/testing/manual_clock.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;

constexpr char kNetwork[] = "sums version 7, checksum 0a1b2c3d";

// The network of sums from a file of checksum 0a1b2c3d, with kernels of "abacus". Each run takes 3 us of `clock`.
class FileNetwork : public testing::SumNetwork, public model::KernelChooser {
 public:
  explicit FileNetwork(testing::ManualClock& clock)
      : SumNetwork([this, &clock](int, int) {
          clock.Advance(std::chrono::microseconds(3));
          ++runs;
          return absl::OkStatus();
        }) {
    description_ = SumNetwork::description();
    description_.checksum = "0a1b2c3d";
  }
  const model::NetworkDescription& description() const override { return description_; }
  model::KernelChooser* kernel_chooser() override { return this; }
  model::KernelChoices choices() const override { return {.isa = "abacus", .layers = {}}; }
  absl::Status SetChoices(const model::KernelChoices&) override { return absl::OkStatus(); }
  void MeasureChoices(int, std::chrono::nanoseconds, const model::MonotonicClock&, std::stop_token stop) override {
    ++measurements;
    if (while_choosing) while_choosing();
    was_told_to_stop = stop.stop_requested();
  }

  int runs = 0;
  int measurements = 0;
  std::function<void()> while_choosing;
  bool was_told_to_stop = false;

 private:
  model::NetworkDescription description_;
};

// Latencies that no measurement would find: a profile that has them was read.
MeasuredProfile Stored() {
  MeasuredProfile stored{
      .latencies = {.max_batch = 2},
      .kernels = model::KernelChoices{.isa = "abacus", .layers = {}},
      .fingerprint = ProfileFingerprint{
          .network = kNetwork, .isa = "abacus", .processor = ProcessorModel(), .threads_per_slot = 1}};
  for (const char* name : {"fp32", "w8a8", "w4a4f", "w1a1"}) {
    stored.latencies.points.push_back({.name = name, .accuracy = 0.5});
    stored.latencies.latency.push_back({std::chrono::milliseconds(41), std::chrono::milliseconds(42)});
  }
  return stored;
}

class ProfileFinderTest : public ::testing::Test {
 protected:
  ProfileFinderTest() : network_(clock_) { std::filesystem::remove_all(path_); }

  void Store(const MeasuredProfile& profile) { ASSERT_TRUE(WriteProfile(profile, path_).ok()); }
  void StoreText(const std::string& text) { std::ofstream(path_) << text; }

  absl::StatusOr<FoundProfile> Find(bool cache) {
    return FindProfile(network_, clock_,
                       {.artifact = "in memory", .max_batch = 2, .profile = path_, .save_profile = cache ? path_ : ""});
  }

  static bool WasRead(const absl::StatusOr<FoundProfile>& found) {
    return found.ok() && found->profile.latencies.latency[0][0] == std::chrono::milliseconds(41);
  }
  static bool WasMeasured(const absl::StatusOr<FoundProfile>& found) {
    return found.ok() && found->profile.latencies.latency[0][0] == std::chrono::microseconds(3);
  }

  const std::string path_ = ::testing::TempDir() + "/finder.json";
  testing::ManualClock clock_;
  FileNetwork network_;
};

TEST_F(ProfileFinderTest, OneOfThisNetworkAndMachineIsReadWithoutANote) {
  Store(Stored());
  const auto found = Find(/*cache=*/false);
  ASSERT_TRUE(WasRead(found)) << found.status();
  EXPECT_EQ(found->note, "");
  EXPECT_EQ(found->profile.latencies.points[0].accuracy, 0.93) << "the network's, not the file's";
  EXPECT_EQ(network_.measurements, 0);
}

TEST_F(ProfileFinderTest, OneOfAnotherNetworkIsRefusedWithBothNames) {
  MeasuredProfile other = Stored();
  other.fingerprint->network = "sums version 7, checksum ffffffff";
  Store(other);
  const auto found = Find(/*cache=*/false);
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(found.status().message()),
            "profile " + path_ + ": it is of network 'sums version 7, checksum ffffffff', this is '" + kNetwork + "'");
  EXPECT_EQ(network_.runs, 0);
}

TEST_F(ProfileFinderTest, OneOfAnotherMachineKernelOrThreadNumberIsMeasuredAnewAndSaysWhy) {
  MeasuredProfile processor = Stored(), isa = Stored(), threads = Stored(), kernels = Stored();
  processor.fingerprint->processor = "Abacus 3000";
  isa.fingerprint->isa = "quipu";
  threads.fingerprint->threads_per_slot = 4;
  kernels.fingerprint.reset();
  kernels.kernels->isa = "quipu";
  for (const auto& [stored, why] : {std::pair(processor, "it was measured on 'Abacus 3000', this is '"),
                                    std::pair(isa, "with the kernels quipu, these are abacus; measured anew"),
                                    std::pair(threads, "with 4 threads per slot, here are 1; measured anew"),
                                    std::pair(kernels, "its kernels are for quipu, these are abacus; measured anew")}) {
    Store(stored);
    const auto found = Find(/*cache=*/false);
    ASSERT_TRUE(WasMeasured(found)) << found.status();
    EXPECT_THAT(found->note, HasSubstr(why));
    EXPECT_EQ(ReadProfile(path_)->latencies.latency[0][0], std::chrono::milliseconds(41)) << "the file is not ours";
  }
}

TEST_F(ProfileFinderTest, OneWithoutAFingerprintIsReadAndSaidToBeUnchecked) {
  MeasuredProfile old = Stored();
  old.fingerprint.reset();
  Store(old);
  const auto found = Find(/*cache=*/false);
  ASSERT_TRUE(WasRead(found)) << found.status();
  EXPECT_THAT(found->note, HasSubstr("has no fingerprint"));
  EXPECT_FALSE(found->profile.fingerprint.has_value());
}

TEST_F(ProfileFinderTest, AMissingOrDamagedFileThatIsOnlyReadIsAnError) {
  EXPECT_EQ(Find(/*cache=*/false).status().code(), absl::StatusCode::kNotFound);
  StoreText("{\"max_batch\": 2, \"poi");
  EXPECT_EQ(Find(/*cache=*/false).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(network_.runs, 0);
}

TEST_F(ProfileFinderTest, ACacheIsMadeAndThenRead) {
  const auto first = Find(/*cache=*/true);
  ASSERT_TRUE(WasMeasured(first)) << first.status();
  const int runs = network_.runs;
  const auto second = Find(/*cache=*/true);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->note, "");
  EXPECT_EQ(network_.measurements, 1);
  EXPECT_EQ(network_.runs, runs + 4) << "each point once, to pack its weights";
}

TEST_F(ProfileFinderTest, ACacheThatDoesNotFitIsMeasuredAnewAndReplaced) {
  MeasuredProfile other = Stored();
  other.fingerprint->network = "another, checksum 1";
  MeasuredProfile unknown = Stored();
  unknown.fingerprint.reset();
  MeasuredProfile fewer_rows = Stored();
  fewer_rows.latencies.max_batch = 1;
  for (auto& latencies : fewer_rows.latencies.latency) latencies.resize(1);
  MeasuredProfile fewer_points = Stored();
  fewer_points.latencies.points.pop_back();
  fewer_points.latencies.latency.pop_back();
  for (const std::string& text : {std::string(), std::string("{\"max_batch\": 2, \"poi"), ProfileToJson(other),
                                  ProfileToJson(unknown), ProfileToJson(fewer_rows), ProfileToJson(fewer_points)}) {
    StoreText(text);
    const auto found = Find(/*cache=*/true);
    ASSERT_TRUE(WasMeasured(found)) << found.status() << text << found->note << ReadProfile(path_).status();
    EXPECT_THAT(found->note, HasSubstr("; measured anew"));
    const auto replaced = ReadProfile(path_);
    ASSERT_TRUE(replaced.ok()) << replaced.status();
    EXPECT_EQ(replaced->fingerprint->network, kNetwork);
  }
}

TEST_F(ProfileFinderTest, WhatCannotBeSavedIsSaidBeforeAnythingIsMeasured) {
  for (const std::string& path : {std::string("/nonexistent/profile.json"), ::testing::TempDir()}) {
    const auto found = FindProfile(network_, clock_, {.artifact = "in memory", .max_batch = 2, .save_profile = path});
    EXPECT_EQ(found.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(found.status().message()), HasSubstr("'" + path + "'"));
    EXPECT_EQ(network_.runs, 0);
    EXPECT_EQ(network_.measurements, 0);
  }
}

TEST_F(ProfileFinderTest, AMeasurementThatIsToldToStopEndsBeforeItsFirstRunAndSavesNothing) {
  std::stop_source stop;
  network_.while_choosing = [&] { stop.request_stop(); };
  const auto found = FindProfile(network_, clock_, {.artifact = "in memory", .max_batch = 2, .save_profile = path_},
                                 nullptr, stop.get_token());
  EXPECT_EQ(found.status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(network_.was_told_to_stop);
  EXPECT_EQ(network_.runs, 0);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ProfileFinderTest, NothingUnfinishedIsLeftBehind) {
  const std::string folder = ::testing::TempDir() + "/alone";
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(CanWriteProfile(folder + "/profile.json").ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  ASSERT_TRUE(WriteProfile(Stored(), folder + "/profile.json").ok());
  const std::filesystem::directory_iterator entries(folder);
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

}  // namespace
}  // namespace anybit::server
