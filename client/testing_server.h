// A small real server of the protocol, in this process, for the client's tests.
//
// The most likely class of each row is its first pixel modulo 10. Requests are kept, and a test may make the server
// refuse or answer wrongly.
#ifndef ANYBIT_CLIENT_TESTING_SERVER_H_
#define ANYBIT_CLIENT_TESTING_SERVER_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/grpcpp.h"
#include "proto/feedback.grpc.pb.h"
#include "proto/inference.grpc.pb.h"

namespace anybit::client {

class TestingServer final : public inference::GRPCInferenceService::Service {
 public:
  // Its verdict on the n-th infer call (from 0), before it is answered. OK by default.
  using Verdict = std::function<grpc::Status(int64_t n)>;

  TestingServer();
  ~TestingServer() override;

  // Of the form "127.0.0.1:PORT".
  std::string address() const;
  std::vector<inference::ModelInferRequest> infer_requests() const;
  // Of all reports.
  std::vector<anybit::v1::LabelledAnswer> labelled_answers() const;
  // The connections, by their clients' addresses, that infer calls came on.
  std::set<std::string> peers() const;

  // To be set before the first call.
  Verdict verdict = [](int64_t) { return grpc::Status::OK; };
  std::function<void(inference::ModelInferResponse&)> alter_response = [](inference::ModelInferResponse&) {};
  grpc::Status feedback_status = grpc::Status::OK;
  inference::ModelMetadataResponse metadata;  // of a model "fashion": UINT8 [-1,4,4,1] to FP32 [-1,10]

 private:
  grpc::Status ServerLive(grpc::ServerContext*, const inference::ServerLiveRequest*,
                          inference::ServerLiveResponse* response) override;
  grpc::Status ServerReady(grpc::ServerContext*, const inference::ServerReadyRequest*,
                           inference::ServerReadyResponse* response) override;
  grpc::Status ServerMetadata(grpc::ServerContext*, const inference::ServerMetadataRequest*,
                              inference::ServerMetadataResponse* response) override;
  grpc::Status ModelMetadata(grpc::ServerContext*, const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override;
  grpc::Status RepositoryIndex(grpc::ServerContext*, const inference::RepositoryIndexRequest*,
                               inference::RepositoryIndexResponse* response) override;
  grpc::Status ModelInfer(grpc::ServerContext* context, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override;

  class FeedbackService final : public anybit::v1::Feedback::Service {
   public:
    explicit FeedbackService(TestingServer& server) : server_(server) {}
    grpc::Status Report(grpc::ServerContext*, const anybit::v1::ReportRequest* request,
                        anybit::v1::ReportResponse*) override;

   private:
    TestingServer& server_;
  };

  mutable absl::Mutex mutex_;
  std::vector<anybit::v1::LabelledAnswer> labelled_answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<inference::ModelInferRequest> infer_requests_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> peers_ ABSL_GUARDED_BY(mutex_);

  FeedbackService feedback_{*this};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_TESTING_SERVER_H_
