#include "server/call_router.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/grpc_status.h"
#include "server/security/grpc_credentials.h"
#include "server/shown_text.h"

namespace anybit::server {
namespace {

// The alternative to a method that is not offered.
std::string Instead(absl::string_view method) {
  struct Advice {
    absl::string_view part;  // of the method's name
    absl::string_view text;
  };
  constexpr Advice kAdvice[] = {
      {"/RepositoryModel", "a server serves one network; start another with --artifact"},
      {"SharedMemory", "send the tensor in raw_input_contents"},
      {"/TraceSetting", "the HTTP port has counts and durations at /metrics"},
      {"/LogSettings", "the server's flags say what it logs"},
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
    const grpc::Status status = methods_.Answer(call_.method(), request_, response_);
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
  if (method == Health::kWatchMethod) return health.Watch(call);
  observer.OnRefusedCall(RefusedCallReason::kUnknownMethod);
  return std::make_unique<RefusedCall>(
      call, absl::UnimplementedError(absl::StrCat("this server does not offer ", ShownText(method), Instead(method))));
}

}  // namespace anybit::server
