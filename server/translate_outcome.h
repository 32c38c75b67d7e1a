// A served request's outcome as a ModelInferResponse: a pure function.
#ifndef ANYBIT_SERVER_TRANSLATE_OUTCOME_H_
#define ANYBIT_SERVER_TRANSLATE_OUTCOME_H_

#include <string>

#include "proto/inference.pb.h"
#include "scheduler/request.h"
#include "server/served_model.h"

namespace anybit::server {

// What the response repeats or follows of its request.
struct ResponseForm {
  std::string request_id;
  int rows = 1;
  int top_classes = 0;  // of the output, as text; 0: all logits, as FP32
};

// `outcome` is kServed; its payload is an InferencePayload.
inference::ModelInferResponse TranslateOutcome(const scheduler::Outcome& outcome, const ResponseForm& form,
                                               const ServedModel& model);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_TRANSLATE_OUTCOME_H_
