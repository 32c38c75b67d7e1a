// The kernels that a network chooses: measured before latencies, saved with them, loaded instead.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/engine/kernel_chooser.h"
#include "server/compose_serving.h"
#include "server/server.h"
#include "server/testing/server_fixture.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using testing::kSumsProfile;
using testing::Options;
using testing::Request;
using testing::ServerFixture;
using testing::SumNetwork;

model::KernelChoices Choices(const std::string& isa, const std::string& algorithm) {
  model::LayerChoice layer{.point = "w8a8", .node = "stem", .algorithms = {}};
  layer.algorithms.fill(algorithm);
  return {.isa = isa, .layers = {layer}};
}

// Chooses "measured" when it measures, for instruction set "abacus"; knows of one layer. Tells what was done to it.
class ChoosingNetwork : public SumNetwork, public model::KernelChooser {
 public:
  struct Log {
    int measurements = 0;
    int max_rows = 0;
    int runs_at_first_choice = -1;
    int runs = 0;
    model::KernelChoices choices;  // as the server left them
  };

  explicit ChoosingNetwork(Log& log)
      : SumNetwork([&log](int, int) {
          ++log.runs;
          return absl::OkStatus();
        }),
        log_(log) {
    log_.choices = Choices("abacus", "guessed");
  }

  model::KernelChooser* kernel_chooser() override { return this; }
  model::KernelChoices choices() const override { return log_.choices; }
  absl::Status SetChoices(const model::KernelChoices& choices) override {
    if (choices.layers.at(0).node != "stem") return absl::InvalidArgumentError("no such layer");
    Choose(choices);
    return absl::OkStatus();
  }
  void MeasureChoices(int max_rows, std::chrono::nanoseconds budget, const model::MonotonicClock& now,
                      std::stop_token) override {
    ++log_.measurements;
    log_.max_rows = max_rows;
    EXPECT_GT(budget.count(), 0);
    const std::chrono::nanoseconds before = now();
    EXPECT_LE(before, now());
    Choose(Choices("abacus", "measured"));
  }

 private:
  void Choose(const model::KernelChoices& choices) {
    if (log_.runs_at_first_choice < 0) log_.runs_at_first_choice = log_.runs;
    log_.choices = choices;
  }

  Log& log_;
};

absl::Status StartChoosing(ServerOptions options, ChoosingNetwork::Log& log) {
  auto server = Server::Listen(std::move(options), ComposeServing);
  if (!server.ok()) return server.status();
  const absl::Status status = (*server)->Serve(std::make_unique<ChoosingNetwork>(log));
  if (status.ok()) {
    EXPECT_EQ((*server)->facts().isa, "abacus");
    EXPECT_THAT((*server)->MetricsText(), HasSubstr("anybit_model_info{isa=\"abacus\","));
  }
  return status;
}

// kSumsProfile with `kernels` as a member.
void WriteProfileWith(const std::string& path, const std::string& kernels) {
  std::string json = kSumsProfile;
  json.insert(json.rfind('}'), ", \"kernels\": " + kernels);
  std::ofstream(path) << json;
}

TEST(ServerKernelsTest, AreMeasuredBeforeLatenciesSavedWithThemAndLoadedInstead) {
  ServerOptions options = Options();
  options.profile = "";
  options.save_profile = ::testing::TempDir() + "/with_kernels.json";
  ChoosingNetwork::Log log;
  ASSERT_TRUE(StartChoosing(options, log).ok());
  EXPECT_EQ(log.measurements, 1);
  EXPECT_EQ(log.max_rows, 4);
  EXPECT_EQ(log.runs_at_first_choice, 0);
  EXPECT_EQ(log.choices, Choices("abacus", "measured"));

  options.profile = options.save_profile;
  options.save_profile = "";
  ChoosingNetwork::Log second;
  ASSERT_TRUE(StartChoosing(options, second).ok());
  EXPECT_EQ(second.measurements, 0);
  EXPECT_EQ(second.choices, Choices("abacus", "measured"));
}

TEST(ServerKernelsTest, EachPointHasRunWithItsKernelsBeforeTheServerIsReady) {
  ChoosingNetwork::Log log;
  ASSERT_TRUE(StartChoosing(Options(), log).ok());
  EXPECT_EQ(log.runs_at_first_choice, 0);
  EXPECT_EQ(log.runs, 4);
}

TEST(ServerKernelsTest, AreMeasuredWhereTheProfileHasNoneOrThoseOfAnotherInstructionSet) {
  ChoosingNetwork::Log without;
  ASSERT_TRUE(StartChoosing(Options(), without).ok());
  EXPECT_EQ(without.measurements, 1);
  const ServerOptions options = Options();
  WriteProfileWith(options.profile, R"({"isa": "quipu", "layers": [
      {"point": "w8a8", "node": "stem", "algorithms": ["a", "a", "a", "a", "a"]}]})");
  ChoosingNetwork::Log other;
  ASSERT_TRUE(StartChoosing(options, other).ok());
  EXPECT_EQ(other.measurements, 1);
  EXPECT_EQ(other.choices, Choices("abacus", "measured"));
}

TEST(ServerKernelsTest, ThatDoNotFitTheNetworkAreRefusedWithTheFilesName) {
  const ServerOptions options = Options();
  WriteProfileWith(options.profile, R"({"isa": "abacus", "layers": [
      {"point": "w8a8", "node": "leaf", "algorithms": ["a", "a", "a", "a", "a"]}]})");
  ChoosingNetwork::Log log;
  const absl::Status status = StartChoosing(options, log);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "profile " + options.profile + ": no such layer");
}

TEST(ServerKernelsTest, ANetworkWithoutAChoiceOfThemIgnoresThoseOfTheProfile) {
  const ServerOptions options = Options();
  WriteProfileWith(options.profile, R"({"isa": "abacus", "layers": []})");
  ServerFixture fixture(options);
  EXPECT_EQ(fixture.server().facts().isa, "");
  EXPECT_TRUE(fixture.Infer(Request()).ok());
}

}  // namespace
}  // namespace anybit::server
