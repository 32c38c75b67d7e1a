// The Open Inference Protocol over HTTP: /v2/...
//
// Each path answers like its method of gRPC does, from the same messages. Errors are {"error": "..."} with the status
// that belongs to their code.
#ifndef ANYBIT_SERVER_REST_REST_SERVICE_H_
#define ANYBIT_SERVER_REST_REST_SERVICE_H_

#include <atomic>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "base/time.h"
#include "server/description_methods.h"
#include "server/http/http_server.h"
#include "server/model_infer_calls.h"
#include "server/model_repository.h"
#include "server/open_calls.h"
#include "server/rest/rest_admin.h"
#include "server/rest/rest_path.h"
#include "server/security/caller.h"

namespace anybit::server {

// Any thread.
class RestService {
 public:
  // All, and the objects of `parts`, outlive the last call.
  RestService(const ModelInferParts& parts, const DescriptionMethods& description, ModelRepository& repository)
      : parts_(parts), description_(description), admin_(description, repository) {}

  // What to do with a request whose path begins with /v2. Does not block.
  HttpAction Route(const HttpHead& head, const Caller& caller);

  // Refuses inference from now on.
  void Drain() { is_draining_ = true; }

  // After Drain: calls `idle` once no inference is open; see OpenCalls.
  void WhenIdle(absl::AnyInvocable<void()> idle) { open_.WhenIdle(std::move(idle)); }

 private:
  class InferCall;

  HttpAction RouteInfer(const HttpHead& head, RestPath path, const Caller& caller);
  HttpAction RouteIndex(const HttpHead& head);
  HttpAction RouteFeedback(const HttpHead& head, RestPath path);
  HttpAnswer Index(const std::string& body) const;

  HttpAnswer ServerLive(const RestPath& path) const;
  HttpAnswer ServerReady(const RestPath& path) const;
  HttpAnswer ServerMetadata(const RestPath& path) const;
  HttpAnswer ModelReady(const RestPath& path) const;
  HttpAnswer ModelMetadata(const RestPath& path) const;
  HttpAnswer ModelConfig(const RestPath& path) const;
  HttpAnswer Statistics(const RestPath& path) const;

  const ModelInferParts& parts_;
  const DescriptionMethods& description_;
  RestAdmin admin_;
  std::atomic<bool> is_draining_ = false;
  OpenCalls open_;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_REST_REST_SERVICE_H_
