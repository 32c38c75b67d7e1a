// The tensors of one request, on their way through the scheduler.
#ifndef ANYBIT_SERVER_INFERENCE_PAYLOAD_H_
#define ANYBIT_SERVER_INFERENCE_PAYLOAD_H_

#include <string>
#include <vector>

#include "scheduler/request.h"

namespace anybit::server {

struct InferencePayload : scheduler::Payload {
  std::string request_id;     // the client's, shortened; for logs
  std::string trace_id;       // of the header traceparent; "": none
  std::string input;          // rows x input elements, row-major, a code each
  std::vector<float> output;  // rows x output elements; room for them from the start, filled by the runner
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_INFERENCE_PAYLOAD_H_
