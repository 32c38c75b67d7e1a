// Which handler a call of the server gets, by its method.
#ifndef ANYBIT_SERVER_CALL_ROUTER_H_
#define ANYBIT_SERVER_CALL_ROUTER_H_

#include <memory>

#include "server/call_intake.h"
#include "server/description_methods.h"
#include "server/edge_observer.h"
#include "server/feedback/feedback_call.h"
#include "server/health.h"
#include "server/model_infer_calls.h"
#include "server/model_repository.h"
#include "server/security/security.h"
#include "server/stream_infer_calls.h"

namespace anybit::server {

// All must outlive the handlers. Any thread.
struct CallRouter {
  ModelInferCalls& infer;
  StreamInferCalls& stream;
  const DescriptionMethods& description;
  ModelRepository& repository;
  const FeedbackParts feedback;
  Health& health;
  EdgeObserver& observer;
  const Security& security;

  // Never null: a client that has not shown what the server demands is refused as UNAUTHENTICATED, a method that is not
  // offered as UNIMPLEMENTED.
  std::unique_ptr<CallHandler> Route(IncomingCall& call) const;
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_CALL_ROUTER_H_
