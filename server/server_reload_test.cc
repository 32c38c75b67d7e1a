// Versions that come and go while the server serves, and its settings: over gRPC and HTTP.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "proto/inference.grpc.pb.h"
#include "server/compose_serving.h"
#include "server/http/testing/http_get.h"
#include "server/processors.h"
#include "server/testing/gate.h"
#include "server/testing/server_fixture.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using grpc::StatusCode;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using testing::Call;
using testing::Ended;
using testing::Gate;
using ::testing::HasSubstr;
using testing::HttpGet;
using testing::HttpReply;
using testing::HttpSend;
using testing::Metric;
using testing::Options;
using testing::Request;
using testing::ServerFixture;
using testing::SumNetwork;
using testing::WaitUntil;

// A folder with an artifact for each version that a test wants: the file's name is its version.
class ReloadTest : public ::testing::Test {
 protected:
  using Load = inference::RepositoryModelLoadRequest;
  using Unload = inference::RepositoryModelUnloadRequest;

  ReloadTest() {
    std::filesystem::create_directories(folder_);
    for (const char* file : {"7", "8", "9", "bad"}) std::ofstream(folder_ + "/" + file) << "x";
  }

  ServerOptions AdminOptions() {
    ServerOptions options = Options("127.0.0.1:0");
    options.artifact = folder_ + "/7";
    options.admin = true;
    return options;
  }

  void Start(const ServerOptions& options) {
    fixture_.emplace(options, ComposeServingThatLoads([this](const std::string& path) { return Read(path); }),
                     std::make_unique<SumNetwork>(first_run_));
  }

  absl::StatusOr<std::unique_ptr<model::AdaptiveNetwork>> Read(const std::string& path) {
    while_loading_();
    int version = 0;
    if (!absl::SimpleAtoi(std::filesystem::path(path).filename().string(), &version)) {
      return absl::InvalidArgumentError("it is damaged");
    }
    return std::make_unique<SumNetwork>(run_of_next_, version);
  }

  grpc::Status LoadVersion(const std::string& file, const std::string& label = "stable", int share_bp = 0) {
    Load request;
    request.set_model_name("sums");
    (*request.mutable_parameters())["artifact"].set_string_param(file);
    (*request.mutable_parameters())["label"].set_string_param(label);
    if (share_bp > 0) (*request.mutable_parameters())["share_bp"].set_int64_param(share_bp);
    grpc::ClientContext context;
    inference::RepositoryModelLoadResponse response;
    return fixture_->stub().RepositoryModelLoad(&context, request, &response);
  }
  grpc::Status UnloadModel() {
    Unload request;
    request.set_model_name("sums");
    grpc::ClientContext context;
    inference::RepositoryModelUnloadResponse response;
    return fixture_->stub().RepositoryModelUnload(&context, request, &response);
  }

  // The version that answered; "" if none did.
  std::string AnsweredBy(const ModelInferRequest& request) {
    ModelInferResponse response;
    return fixture_->Infer(request, &response).ok() ? response.model_version() : "";
  }
  static ModelInferRequest For(const std::string& version) {
    ModelInferRequest request = Request();
    request.set_model_version(version);
    return request;
  }

  int Rows(const std::string& state) {
    grpc::ClientContext context;
    inference::RepositoryIndexResponse response;
    EXPECT_TRUE(fixture_->stub().RepositoryIndex(&context, {}, &response).ok());
    int rows = 0;
    for (const auto& row : response.models()) rows += row.state() == state;
    return rows;
  }

  HttpReply Post(const std::string& path, const std::string& body) {
    return HttpSend(fixture_->server().http_port(),
                    absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ",
                                 body.size(), "\r\n\r\n", body));
  }
  HttpReply Get(const std::string& path) { return HttpGet(fixture_->server().http_port(), path); }

  const std::string folder_ = ::testing::TempDir() + "/artifacts";
  SumNetwork::BeforeRun first_run_ = nullptr;  // of the first version
  std::function<void()> while_loading_ = [] {};
  SumNetwork::BeforeRun run_of_next_;  // of versions that are loaded
  std::optional<ServerFixture> fixture_;
};

TEST_F(ReloadTest, CallsAreAnsweredWhileAVersionIsLoadedAndThenByIt) {
  absl::Notification reading, answered;
  while_loading_ = [&] {
    reading.Notify();
    answered.WaitForNotification();
  };
  Start(AdminOptions());
  grpc::Status loaded;
  std::thread load([&] { loaded = LoadVersion("8"); });
  reading.WaitForNotification();
  EXPECT_EQ(AnsweredBy(Request()), "7");
  EXPECT_EQ(Rows("LOADING"), 1);
  answered.Notify();
  load.join();
  EXPECT_TRUE(loaded.ok()) << loaded.error_message();
  EXPECT_EQ(AnsweredBy(Request()), "8");
  WaitUntil([&] { return Rows("UNLOADING"); }, 0);
  EXPECT_EQ(Rows("READY"), 1);
}

TEST_F(ReloadTest, ACallInFlightEndsOnTheVersionThatItBeganWith) {
  Gate first, second;
  const auto hold_first = first.Hold(), hold_second = second.Hold();
  // The version is measured on the first slot, so a call of the other one is in flight meanwhile.
  first_run_ = [=](int point, int rows) { return rows == 1 ? hold_first(point, rows) : hold_second(point, rows); };
  ServerOptions options = AdminOptions();
  options.slots = 2;
  options.pin = false;
  Start(options);
  Call on_first_slot(fixture_->stub(), Request());
  first.WaitUntilARunBegan();
  ModelInferResponse response;
  grpc::Status ended;
  std::thread on_second_slot([&] { ended = fixture_->Infer(Request(std::string(8, 'x')), &response); });
  second.WaitUntilARunBegan();
  first.Open();
  EXPECT_TRUE(on_first_slot.Wait().ok());
  EXPECT_TRUE(LoadVersion("8").ok());
  EXPECT_EQ(AnsweredBy(Request()), "8");
  EXPECT_EQ(Rows("UNLOADING"), 1);
  EXPECT_EQ(LoadVersion("7").error_code(), StatusCode::UNAVAILABLE);
  second.Open();
  on_second_slot.join();
  EXPECT_TRUE(ended.ok()) << ended.error_message();
  EXPECT_EQ(response.model_version(), "7");
  WaitUntil([&] { return Rows("UNLOADING"); }, 0);
}

TEST_F(ReloadTest, ALoadDoesNotWaitForABatchThatOneThreadComputes) {
  Gate gate;
  first_run_ = gate.Hold();
  ServerOptions options = AdminOptions();
  options.processors = AllowedProcessors();
  Start(options);
  Call running(fixture_->stub(), Request());
  gate.WaitUntilARunBegan();
  EXPECT_TRUE(LoadVersion("8").ok());
  EXPECT_EQ(Rows("UNLOADING"), 1);
  gate.Open();
  EXPECT_TRUE(running.Wait().ok());
}

TEST_F(ReloadTest, ABadArtifactLeavesTheOldOneServingAndSaysWhy) {
  Start(AdminOptions());
  const grpc::Status status = LoadVersion("bad");
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "it is damaged");
  EXPECT_EQ(LoadVersion("missing").error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(AnsweredBy(Request()), "7");
  EXPECT_THAT(Post("/v2/repository/index", "").body, HasSubstr("it is damaged"));
  EXPECT_EQ(Get("/readyz").code, 200);
}

TEST_F(ReloadTest, ALoadThatMemoryOrThreadsAreMissingForLeavesTheOldOneServing) {
  Start(AdminOptions());
  run_of_next_ = [](int, int) -> absl::Status { throw std::bad_alloc(); };
  grpc::Status status = LoadVersion("8");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "the server has no memory left for this artifact");
  run_of_next_ = [](int, int) -> absl::Status {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  };
  status = LoadVersion("8");
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "the server has no threads left for this artifact");
  EXPECT_EQ(AnsweredBy(Request()), "7");
  run_of_next_ = nullptr;
  EXPECT_TRUE(LoadVersion("8").ok());
}

TEST_F(ReloadTest, NoCallFailsWhileVersionsChange) {
  Start(AdminOptions());
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0, failed = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < 3; ++client) {
    clients.emplace_back([&] {
      while (!stop) ++(AnsweredBy(Request()).empty() ? failed : answered);
    });
  }
  for (const char* version : {"8", "9", "8", "7"}) {
    const int before = answered;
    WaitUntil([&] { return answered > before; }, true);
    grpc::Status status = LoadVersion(version);
    // The last call of the version may still run.
    while (status.error_code() == StatusCode::UNAVAILABLE) status = LoadVersion(version);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(answered, 4);
  EXPECT_EQ(AnsweredBy(Request()), "7");
}

TEST_F(ReloadTest, AnUnloadedModelIsNotFoundAndNotReadyUntilItIsLoadedAgain) {
  using grpc::health::v1::HealthCheckResponse;
  Start(AdminOptions());
  ASSERT_TRUE(UnloadModel().ok());
  const grpc::Status refused = fixture_->Infer(Request());
  EXPECT_EQ(refused.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(refused.error_message(), "Request for unknown model: 'sums' has no available versions");
  EXPECT_EQ(HealthOf(*fixture_, "readiness"), HealthCheckResponse::NOT_SERVING);
  for (const char* path : {"/readyz", "/v2/health/ready"}) EXPECT_EQ(Get(path).code, 503) << path;
  EXPECT_EQ(Get("/v2/models/sums/ready").code, 404);
  EXPECT_EQ(Get("/livez").code, 200);
  EXPECT_EQ(Post("/v2/models/sums/infer", R"({"inputs":[]})").code, 404);
  WaitUntil([&] { return Rows("UNAVAILABLE"); }, 1);
  ASSERT_TRUE(LoadVersion("7").ok());
  EXPECT_EQ(AnsweredBy(Request()), "7");
  EXPECT_EQ(HealthOf(*fixture_, "readiness"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Get("/readyz").code, 200);
}

TEST_F(ReloadTest, ACanaryGetsItsShareAndIsCountedByItself) {
  Start(AdminOptions());
  ASSERT_TRUE(LoadVersion("8", "canary", 5000).ok());
  EXPECT_EQ(AnsweredBy(For("8")), "8");
  EXPECT_EQ(AnsweredBy(For("canary")), "8");
  EXPECT_EQ(AnsweredBy(For("stable")), "7");
  EXPECT_EQ(AnsweredBy(For("9")), "");
  int canaries = 0;
  ModelInferRequest without_id = Request();
  without_id.clear_id();
  for (int i = 0; i < 10; ++i) canaries += AnsweredBy(without_id) == "8";
  EXPECT_EQ(canaries, 5);
  grpc::ClientContext context;
  inference::ModelStatisticsResponse statistics;
  ASSERT_TRUE(fixture_->stub().ModelStatistics(&context, {}, &statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 2);
  EXPECT_EQ(statistics.model_stats(0).version(), "7");
  EXPECT_EQ(statistics.model_stats(0).inference_count(), 6u);
  EXPECT_EQ(statistics.model_stats(1).version(), "8");
  EXPECT_EQ(statistics.model_stats(1).inference_count(), 7u);
  const std::string page = Get("/metrics").body;
  EXPECT_THAT(page, HasSubstr(R"(anybit_requests_total{outcome="served",version="7"} 6)"));
  EXPECT_THAT(page, HasSubstr(R"(anybit_requests_total{outcome="served",version="8"} 7)"));
  EXPECT_THAT(Get("/v2/models/sums").body, HasSubstr(R"("versions":["7","8"])"));
  EXPECT_THAT(Get("/v2/models/sums/versions/8/stats").body, HasSubstr(R"("version":"8")"));
}

TEST_F(ReloadTest, HttpLoadsAndUnloadsToo) {
  Start(AdminOptions());
  EXPECT_EQ(Post("/v2/repository/models/sums/load", R"({"parameters":{"artifact":"8"}})").code, 200);
  EXPECT_EQ(AnsweredBy(Request()), "8");
  const HttpReply bad = Post("/v2/repository/models/sums/load", R"({"parameters":{"artifact":"bad"}})");
  EXPECT_EQ(bad.code, 400);
  EXPECT_EQ(bad.body, R"({"error":"it is damaged"})");
  EXPECT_EQ(Post("/v2/repository/models/sums/load", R"({"parameters":{"artifact":[]}})").code, 400);
  EXPECT_EQ(Post("/v2/repository/models/other/load", "").code, 404);
  EXPECT_EQ(Post("/v2/repository/models/sums/unload", R"({"parameters":{"unload_dependents":true}})").code, 200);
  EXPECT_EQ(AnsweredBy(Request()), "");
}

TEST_F(ReloadTest, WithoutAdminNothingCanBeChangedAndSettingsCanBeRead) {
  ServerOptions options = AdminOptions();
  options.admin = false;
  Start(options);
  const grpc::Status status = LoadVersion("8");
  EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(status.error_message(), "load and unload are off: start the server with --admin");
  EXPECT_EQ(UnloadModel().error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Post("/v2/repository/models/sums/load", "").code, 403);
  EXPECT_EQ(Post("/v2/logging", R"({"log_info":false})").code, 403);
  EXPECT_EQ(Post("/v2/trace/setting", R"({"trace_rate":"1"})").code, 403);
  EXPECT_THAT(Get("/v2/logging").body, HasSubstr(R"("log_info":true)"));
  EXPECT_THAT(Get("/v2/trace/setting").body, HasSubstr(R"("trace_level":["OFF"])"));
  grpc::ClientContext trace, log;
  inference::TraceSettingResponse traces;
  EXPECT_TRUE(fixture_->stub().TraceSetting(&trace, {}, &traces).ok());
  inference::LogSettingsResponse logs;
  EXPECT_TRUE(fixture_->stub().LogSettings(&log, {}, &logs).ok());
  EXPECT_EQ(AnsweredBy(Request()), "7");
}

TEST_F(ReloadTest, TracesAreWrittenWhileTheirSettingsSaySo) {
  ServerOptions options = AdminOptions();
  options.trace_file = folder_ + "/traces";
  std::filesystem::remove(options.trace_file);
  Start(options);
  EXPECT_EQ(AnsweredBy(Request()), "7");
  const HttpReply set =
      Post("/v2/models/sums/trace/setting", R"({"trace_level":["TIMESTAMPS"],"trace_rate":"1","trace_count":1})");
  EXPECT_EQ(set.code, 200) << set.body;
  EXPECT_THAT(set.body, HasSubstr(R"("trace_count":"1")"));
  EXPECT_EQ(AnsweredBy(Request()), "7");
  EXPECT_EQ(AnsweredBy(Request()), "7");
  std::string line, more;
  std::ifstream file(options.trace_file);
  std::getline(file, line);
  EXPECT_THAT(line, HasSubstr(R"("request_id":"id of this call")"));
  EXPECT_FALSE(std::getline(file, more)) << more;
  EXPECT_EQ(Post("/v2/trace/setting", R"({"trace_rate":"x"})").code, 400);
  EXPECT_EQ(Post("/v2/trace/setting", R"({"trace_rate":{}})").code, 400);
  EXPECT_EQ(Post("/v2/logging", R"({"log_verbose_level":-1})").code, 400);
  EXPECT_THAT(Post("/v2/logging", R"({"log_verbose_level":2})").body, HasSubstr(R"("log_verbose_level":2)"));
}

TEST_F(ReloadTest, SharedMemoryIsEmptyOverHttpAndRegisteringItIsNotOffered) {
  Start(AdminOptions());
  EXPECT_EQ(Get("/v2/systemsharedmemory/status").body, "[]");
  EXPECT_EQ(Get("/v2/cudasharedmemory/status").body, "[]");
  EXPECT_EQ(Get("/v2/systemsharedmemory/region/r/status").code, 404);
  EXPECT_EQ(Post("/v2/systemsharedmemory/unregister", "").code, 200);
  EXPECT_EQ(Post("/v2/cudasharedmemory/region/r/unregister", "").code, 200);
  const HttpReply refused = Post("/v2/systemsharedmemory/region/r/register", R"({"key":"/r","byte_size":4})");
  EXPECT_EQ(refused.code, 501);
  EXPECT_THAT(refused.body, HasSubstr("send the tensor in the body of the request"));
}

TEST_F(ReloadTest, ALoadThatMeasuresEndsAfterThePresentRunWhenTheServerDrains) {
  Gate measuring;
  run_of_next_ = measuring.Hold();
  Start(AdminOptions());
  grpc::Status loaded;
  std::thread load([&] { loaded = LoadVersion("8"); });
  measuring.WaitUntilARunBegan();
  absl::Notification drained;
  fixture_->server().Drain([&] { drained.Notify(); });
  measuring.Open();
  load.join();
  EXPECT_EQ(loaded.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(loaded.error_message(), "the server is stopping: profiling was stopped");
  EXPECT_EQ(measuring.rows_begun(), 1);
  drained.WaitForNotification();
}

TEST_F(ReloadTest, AServerThatDrainsTwoVersionsAnswersAllTheirCalls) {
  Gate gate;
  first_run_ = gate.Hold();
  ServerOptions options = AdminOptions();
  Start(options);
  gate.Open();
  ASSERT_TRUE(LoadVersion("8", "canary", 5000).ok());
  gate.Close();
  Call waiting(fixture_->stub(), For("7"));
  gate.WaitUntilARunBegan();
  absl::Notification drained;
  fixture_->server().Drain([&] { drained.Notify(); });
  EXPECT_FALSE(drained.HasBeenNotified());
  gate.Open();
  drained.WaitForNotification();
  EXPECT_TRUE(waiting.Wait().ok());
}

}  // namespace
}  // namespace anybit::server
