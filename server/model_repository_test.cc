#include "server/model_repository.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "server/event_log.h"
#include "server/testing/idle_version.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using ::testing::HasSubstr;
using testing::IdleVersion;
using testing::SumNetwork;

// With a text of its own. Debian's Abseil is not instrumented, so ThreadSanitizer does not see how copies of a status
// share one.
absl::Status Copied(const absl::Status& status) { return absl::Status(status.code(), status.message()); }

// A network that is described as it is told to be.
class Described : public SumNetwork {
 public:
  explicit Described(model::NetworkDescription description) : description_(std::move(description)) {}
  const model::NetworkDescription& description() const override { return description_; }

 private:
  const model::NetworkDescription description_;
};

// Serves version 7; "file" in the folder of its artifact holds the network `next_`.
class ModelRepositoryTest : public ::testing::Test {
 protected:
  ModelRepositoryTest() {
    next_ = testing::Model().network;
    next_.version = 8;
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/file") << "12345";
    repository_.Begin(std::make_unique<IdleVersion>(7, "seven"));
  }
  ~ModelRepositoryTest() override { repository_.Stop(); }

  using Parameters = std::map<std::string, std::string>;

  absl::Status Load(const Parameters& parameters = {}, const std::string& model = "sums") {
    inference::RepositoryModelLoadRequest request;
    request.set_model_name(model);
    for (const auto& [name, value] : parameters) {
      (*request.mutable_parameters())[name].set_string_param(value);
    }
    absl::Status status;
    absl::Notification done;
    repository_.Load(request, [&](const absl::Status& ended) {
      status = Copied(ended);
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  }
  absl::Status Unload(const Parameters& parameters = {}) {
    inference::RepositoryModelUnloadRequest request;
    request.set_model_name("sums");
    for (const auto& [name, value] : parameters) {
      (*request.mutable_parameters())[name].set_string_param(value);
    }
    absl::Status status;
    absl::Notification done;
    repository_.Unload(request, [&](const absl::Status& ended) {
      status = Copied(ended);
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  }

  // Every row of the index as "version STATE reason".
  std::vector<std::string> Index(bool only_ready = false) {
    std::vector<std::string> rows;
    const inference::RepositoryIndexResponse index = repository_.Index(only_ready);
    for (const auto& row : index.models()) {
      rows.push_back(row.version() + " " + row.state() + (row.reason().empty() ? "" : " " + row.reason()));
    }
    return rows;
  }

  std::string Serving() {
    const VersionLabels labels = versions_.labels();
    const auto text = [](const SharedVersion& version) {
      return version == nullptr ? "none" : std::to_string(version->model().network.version);
    };
    return text(labels.stable) + "/" + text(labels.canary);
  }

  // Lets the repository end what is not used any more: a change comes after that.
  void LetUnusedEnd() { (void)Unload({{"label", "nonsense"}}); }

  const std::string folder_ = ::testing::TempDir() + "/model_repository";
  model::NetworkDescription next_;
  absl::Status load_error_, start_error_;
  std::optional<int64_t> bytes_asked_;
  absl::Status memory_;
  int changes_ = 0;
  std::function<void()> while_loading_ = [] {};
  std::function<void()> while_starting_ = [] {};
  std::string log_lines_;
  AdminLog log_{[this](LogLevel level, absl::string_view text, NoticeStyle style) {
    log_lines_ += NoticeLine(level, text, style, WallTime());
  }};
  SharedServingState state_ = ServingState::kReady;
  ServedVersions versions_{"sums"};
  ModelRepository repository_{ModelRepository::Parts{
      .versions = versions_,
      .state = state_,
      .log = log_,
      .artifact = folder_ + "/file",
      .is_allowed = true,
      .load = [this](const std::string&) -> absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> {
        while_loading_();
        if (!load_error_.ok()) return Copied(load_error_);
        return std::make_unique<Described>(next_);
      },
      .start = [this](std::unique_ptr<model::AdaptiveNetwork> network,
                      const std::stop_token& stop) -> absl::StatusOr<std::unique_ptr<ServedVersion>> {
        while_starting_();
        if (stop.stop_requested()) return absl::CancelledError("it was told to stop");
        if (!start_error_.ok()) return Copied(start_error_);
        return std::make_unique<IdleVersion>(network->description());
      },
      .has_memory =
          [this](int64_t bytes) {
            bytes_asked_ = bytes;
            return Copied(memory_);
          },
      .changed = [this] { ++changes_; }}};
};

TEST_F(ModelRepositoryTest, ALoadedVersionTakesThePlaceOfTheStableOne) {
  EXPECT_EQ(Index(), std::vector<std::string>{"7 READY"});
  EXPECT_EQ(Load(), absl::OkStatus());
  EXPECT_EQ(Serving(), "8/none");
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(bytes_asked_, 5);
  LetUnusedEnd();
  EXPECT_EQ(Index(), std::vector<std::string>{"8 READY"});
  EXPECT_THAT(log_lines_, HasSubstr("serving sums version 8 as stable"));
  EXPECT_THAT(log_lines_, HasSubstr("ended sums version 7"));
}

TEST_F(ModelRepositoryTest, AVersionEndsOnlyWhenItsLastRequestDoes) {
  SharedVersion request = *versions_.Choose("sums", "", "");
  EXPECT_EQ(Load(), absl::OkStatus());
  LetUnusedEnd();
  EXPECT_EQ(Index(), (std::vector<std::string>{"8 READY", "7 UNLOADING its last requests run"}));
  EXPECT_EQ(Index(/*only_ready=*/true), std::vector<std::string>{"8 READY"});
  next_.version = 7;
  EXPECT_EQ(Load(), absl::UnavailableError("version 7 is still unloading; its requests run"));
  request = nullptr;
  LetUnusedEnd();
  EXPECT_EQ(Load(), absl::OkStatus());
  EXPECT_EQ(Serving(), "7/none");
}

TEST_F(ModelRepositoryTest, WhatCannotBeServedLeavesEverythingAsItWasAndTheIndexSaysWhy) {
  load_error_ = absl::InvalidArgumentError("it is damaged");
  EXPECT_EQ(Load(), load_error_);
  EXPECT_EQ(Index(), (std::vector<std::string>{"7 READY", " UNAVAILABLE it is damaged"}));
  load_error_ = absl::OkStatus();
  start_error_ = absl::InvalidArgumentError("its floors cannot be kept");
  EXPECT_EQ(Load(), start_error_);
  EXPECT_EQ(Index(), (std::vector<std::string>{"7 READY", "8 UNAVAILABLE its floors cannot be kept"}));
  start_error_ = absl::OkStatus();
  memory_ = absl::ResourceExhaustedError("too large");
  EXPECT_EQ(Load(), memory_);
  EXPECT_EQ(Serving(), "7/none");
  EXPECT_EQ(changes_, 0);
  EXPECT_THAT(log_lines_, HasSubstr("error: not loaded: it is damaged"));
  memory_ = absl::OkStatus();
  EXPECT_EQ(Load(), absl::OkStatus());
  LetUnusedEnd();
  EXPECT_EQ(Index(), std::vector<std::string>{"8 READY"});
}

TEST_F(ModelRepositoryTest, WhereMemoryEndsTheLoadEndsAndNothingElse) {
  while_loading_ = [] { throw std::bad_alloc(); };
  EXPECT_EQ(Load(), absl::ResourceExhaustedError("the server has no memory left for this artifact"));
  EXPECT_EQ(Index(),
            (std::vector<std::string>{"7 READY", " UNAVAILABLE the server has no memory left for this artifact"}));
  while_loading_ = [] {};
  EXPECT_EQ(Load(), absl::OkStatus());
}

TEST_F(ModelRepositoryTest, ADamagedFileIsAWrongArgumentAndItsFolderIsNotTold) {
  const std::string path = std::filesystem::canonical(folder_ + "/file");
  load_error_ = absl::DataLossError("artifact '" + path + "': it is damaged");
  EXPECT_EQ(Load(), absl::InvalidArgumentError("artifact 'file': it is damaged"));
  EXPECT_EQ(Index().back(), " UNAVAILABLE artifact 'file': it is damaged");
}

TEST_F(ModelRepositoryTest, ANetworkThatClientsDoNotKnowIsRefused) {
  next_.input.shape = {4, 4, 1};
  EXPECT_THAT(std::string(Load().message()), HasSubstr("the input is image [4,4,1]"));
  EXPECT_EQ(Serving(), "7/none");
}

TEST_F(ModelRepositoryTest, AVersionIsOneNetwork) {
  next_.version = 7;
  next_.checksum = "another";
  EXPECT_THAT(std::string(Load().message()), HasSubstr("version 7 is served with other contents"));
  const SharedVersion before = versions_.labels().stable;
  next_.checksum = "seven";
  EXPECT_EQ(Load(), absl::OkStatus());
  EXPECT_EQ(versions_.labels().stable, before) << "what is served already is not loaded again";
}

TEST_F(ModelRepositoryTest, ACanaryServesBesideTheStableVersionAndCanBecomeIt) {
  EXPECT_EQ(Load({{"label", "canary"}}), absl::OkStatus());
  EXPECT_EQ(Serving(), "7/8");
  EXPECT_EQ(versions_.labels().canary_share_bp, 500);
  EXPECT_EQ(Index(), (std::vector<std::string>{"7 READY", "8 READY"}));
  const SharedVersion canary = versions_.labels().canary;
  EXPECT_EQ(Load(), absl::OkStatus());
  EXPECT_EQ(Serving(), "8/none");
  EXPECT_EQ(versions_.labels().stable, canary) << "it is not measured again";
  EXPECT_TRUE(absl::IsInvalidArgument(Load({{"label", "canary"}}))) << "the stable version is no canary";
}

TEST_F(ModelRepositoryTest, AnUnloadMayLeaveTheStableVersion) {
  EXPECT_TRUE(absl::IsNotFound(Unload({{"label", "canary"}})));
  ASSERT_TRUE(Load({{"label", "canary"}}).ok());
  EXPECT_EQ(Unload({{"label", "canary"}}), absl::OkStatus());
  EXPECT_EQ(Serving(), "7/none");
  EXPECT_EQ(Unload(), absl::OkStatus());
  EXPECT_EQ(Serving(), "none/none");
  LetUnusedEnd();
  EXPECT_EQ(Index(), std::vector<std::string>{" UNAVAILABLE unloaded"});
  EXPECT_TRUE(absl::IsNotFound(Unload()));
  EXPECT_THAT(std::string(Load({{"label", "canary"}}).message()), HasSubstr("there is no stable version"));
  EXPECT_EQ(Load(), absl::OkStatus());
  EXPECT_EQ(Serving(), "8/none");
}

TEST_F(ModelRepositoryTest, WhatIsBeingLoadedIsInTheIndex) {
  std::vector<std::string> rows;
  while_loading_ = [&] { rows = Index(); };
  ASSERT_TRUE(Load().ok());
  EXPECT_EQ(rows, (std::vector<std::string>{"7 READY", " LOADING reading and measuring 'file'"}));
}

TEST_F(ModelRepositoryTest, AServerThatStopsChangesNothing) {
  while_loading_ = [&] { repository_.Drain(); };
  EXPECT_EQ(Load(), absl::UnavailableError("the server is stopping: it was told to stop"));
  EXPECT_EQ(Serving(), "7/none");
  EXPECT_EQ(Unload(), absl::UnavailableError("the server is stopping"));
}

TEST_F(ModelRepositoryTest, ALoadThatMeasuresIsToldToStopWhenTheServerDrains) {
  while_starting_ = [&] { repository_.Drain(); };
  EXPECT_EQ(Load(), absl::UnavailableError("the server is stopping: it was told to stop"));
  EXPECT_EQ(Index().back(), "8 UNAVAILABLE it was told to stop");
}

TEST_F(ModelRepositoryTest, AnotherModelAndAMissingFileAreNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Load({}, "other")));
  EXPECT_TRUE(absl::IsNotFound(Load({{"artifact", "missing"}})));
  EXPECT_TRUE(absl::IsInvalidArgument(Load({{"artifact", "../file"}})));
}

TEST(ModelRepositoryPermissionTest, ChangesAreRefusedUnlessTheyAreAllowed) {
  AdminLog log([](LogLevel, absl::string_view, NoticeStyle) {});
  const SharedServingState state = ServingState::kReady;
  ServedVersions versions("sums");
  ModelRepository repository(ModelRepository::Parts{.versions = versions, .state = state, .log = log});
  repository.Begin(std::make_unique<IdleVersion>(7));
  absl::Status load, unload;
  repository.Load({}, [&](const absl::Status& status) { load = status; });
  repository.Unload({}, [&](const absl::Status& status) { unload = status; });
  EXPECT_EQ(load, absl::PermissionDeniedError("load and unload are off: start the server with --admin"));
  EXPECT_EQ(unload, load);
  repository.Stop();
}

}  // namespace
}  // namespace anybit::server
