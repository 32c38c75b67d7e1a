// bare-grpc: a gRPC server that does nothing: the measure of what calls cost by themselves.
//
// One thread and one completion queue, as in our server on one processor. It answers each method with the bytes of a
// file of the folder, named after the method (ModelInfer, ...), so that http2-load takes it for a server. `refuse`
// answers ModelInfer with RESOURCE_EXHAUSTED instead, unread. tests/load/cost_of_calls.py makes the folder.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/file.h"

namespace anybit::load {
namespace {

using Answers = std::map<std::string, grpc::ByteBuffer>;

// One call: taken, read, answered.
class BareCall {
 public:
  BareCall(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue, const Answers& answers, bool refuses)
      : service_(service), queue_(queue), answers_(answers), refuses_(refuses) {
    service_.RequestCall(&context_, &stream_, &queue_, &queue_, this);
  }

  void Go(bool ok) {
    ++step_;
    if (!ok || step_ == 3) {
      delete this;
    } else if (step_ == 1) {
      new BareCall(service_, queue_, answers_, refuses_);
      if (refuses_ && context_.method() == "/inference.GRPCInferenceService/ModelInfer") {
        step_ = 2;
        stream_.Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "refused"}, this);
      } else {
        stream_.Read(&request_, this);
      }
    } else {
      const std::string& method = context_.method();
      const auto answer = answers_.find(method.substr(method.rfind('/') + 1));
      if (answer == answers_.end()) {
        stream_.Finish({grpc::StatusCode::UNIMPLEMENTED, ""}, this);
      } else {
        stream_.WriteAndFinish(answer->second, {}, grpc::Status::OK, this);
      }
    }
  }

 private:
  grpc::AsyncGenericService& service_;
  grpc::ServerCompletionQueue& queue_;
  const Answers& answers_;
  const bool refuses_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  grpc::ByteBuffer request_;
  int step_ = 0;
};

int Main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: bare-grpc HOST:PORT FOLDER [refuse]\n";
    return 2;
  }
  Answers answers;
  for (const char* method : {"ModelInfer", "ModelMetadata", "ModelConfig", "RepositoryIndex", "ServerLive"}) {
    const absl::StatusOr<std::string> bytes = ReadFile(std::string(argv[2]) + "/" + method);
    if (!bytes.ok()) {
      std::cerr << "bare-grpc: " << bytes.status().message() << "\n";
      return 1;
    }
    const grpc::Slice slice(*bytes);
    answers[method] = grpc::ByteBuffer(&slice, 1);
  }
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  builder.RegisterAsyncGenericService(&service);
  const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  new BareCall(service, *queue, answers, argc > 3);
  std::cout << "bare-grpc: serving" << std::endl;
  void* call = nullptr;
  bool ok = false;
  while (queue->Next(&call, &ok)) static_cast<BareCall*>(call)->Go(ok);
  return 0;
}

}  // namespace
}  // namespace anybit::load

int main(int argc, char** argv) { return anybit::load::Main(argc, argv); }
