#include "server/call_router.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/inference.grpc.pb.h"
#include "server/grpc_status.h"
#include "server/parse_message.h"
#include "server/security/caller.h"
#include "server/security/check_call.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

constexpr absl::string_view kLoadMethod = "/inference.GRPCInferenceService/RepositoryModelLoad";
constexpr absl::string_view kUnloadMethod = "/inference.GRPCInferenceService/RepositoryModelUnload";

// The alternative to a method that is not offered.
std::string Instead(absl::string_view method) {
  struct Advice {
    absl::string_view part;  // of the method's name
    absl::string_view text;
  };
  constexpr Advice kAdvice[] = {
      {"SharedMemory", "send the tensor in raw_input_contents"},
  };
  for (const Advice& advice : kAdvice) {
    if (absl::StrContains(method, advice.part)) return absl::StrCat(": ", advice.text);
  }
  return "; it offers inference.GRPCInferenceService, grpc.health.v1.Health and reflection";
}

// A call that is not read: its answer is `status`.
class RefusedCall final : public CallHandler {
 public:
  RefusedCall(IncomingCall& call, const absl::Status& status) : call_(call), status_(ToGrpcStatus(status)) {}
  void OnTaken() override { call_.Finish(status_); }

 private:
  IncomingCall& call_;
  const grpc::Status status_;
};

class DescriptionCall final : public CallHandler {
 public:
  DescriptionCall(IncomingCall& call, const DescriptionMethods& methods) : call_(call), methods_(methods) {}

  void OnTaken() override { call_.Read(&request_); }
  void OnRead() override {
    const grpc::Status status = methods_.Answer(call_.method(), call_.caller(), request_, response_);
    if (status.ok()) {
      call_.WriteAndFinish(response_, status);
    } else {
      call_.Finish(status);
    }
  }

 private:
  IncomingCall& call_;
  const DescriptionMethods& methods_;
  grpc::ByteBuffer request_, response_;
};

// A change of the repository, which answers on its own thread.
template <typename Request, typename Response, void (ModelRepository::*change)(const Request&, ModelRepository::Done)>
class RepositoryCall final : public CallHandler {
 public:
  RepositoryCall(IncomingCall& call, ModelRepository& repository) : call_(call), repository_(repository) {}

  void OnTaken() override { call_.Read(&request_); }
  void OnRead() override {
    Request request;
    if (absl::Status parsed = ParseMessage(request_, request); !parsed.ok()) return call_.Finish(ToGrpcStatus(parsed));
    bool own_buffer;
    (void)grpc::SerializationTraits<Response>::Serialize(Response(), &response_, &own_buffer);
    (repository_.*change)(request, [this](const absl::Status& status) {
      if (status.ok()) {
        call_.WriteAndFinish(response_, grpc::Status::OK);
      } else {
        call_.Finish(ToGrpcStatus(status));
      }
    });
  }

 private:
  IncomingCall& call_;
  ModelRepository& repository_;
  grpc::ByteBuffer request_, response_;
};
using LoadCall = RepositoryCall<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse,
                                &ModelRepository::Load>;
using UnloadCall = RepositoryCall<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse,
                                  &ModelRepository::Unload>;

}  // namespace

std::unique_ptr<CallHandler> CallRouter::Route(IncomingCall& call) const {
  if (security.is_on()) {
    absl::StatusOr<Caller> caller = CheckCall(security, call.context());
    if (!caller.ok()) {
      observer.OnRefusedCall(RefusedCallReason::kUnauthenticated);
      return std::make_unique<RefusedCall>(call, caller.status());
    }
    call.SetCaller(*std::move(caller));
  }
  const absl::string_view method = call.method();
  if (method == ModelInferCalls::kMethod) return infer.Handle(call);
  if (method == StreamInferCalls::kMethod) return stream.Handle(call);
  if (DescriptionMethods::Offers(method)) return std::make_unique<DescriptionCall>(call, description);
  if (method == FeedbackCall::kMethod) return std::make_unique<FeedbackCall>(call, feedback);
  if (method == Health::kWatchMethod) return health.Watch(call);
  if (method == kLoadMethod || method == kUnloadMethod) {
    if (absl::Status status = CheckAdmin(call.caller()); !status.ok()) {
      return std::make_unique<RefusedCall>(call, status);
    }
    if (method == kLoadMethod) return std::make_unique<LoadCall>(call, repository);
    return std::make_unique<UnloadCall>(call, repository);
  }
  observer.OnRefusedCall(RefusedCallReason::kUnknownMethod);
  return std::make_unique<RefusedCall>(
      call, absl::UnimplementedError(absl::StrCat("this server does not offer ", ShownText(method), Instead(method))));
}

}  // namespace anybit::server
