// A valid request as the scheduler takes it.
#ifndef ANYBIT_SERVER_SUBMISSION_H_
#define ANYBIT_SERVER_SUBMISSION_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/time.h"
#include "scheduler/scheduler.h"
#include "server/served_model.h"
#include "server/translate_request.h"

namespace anybit::server {

// What logs call a request by.
struct RequestNames {
  absl::string_view id;            // the client's
  absl::string_view trace_parent;  // the header; ignored if it is not valid
};

// The terms of `call`, and its input with room for the outputs as an InferencePayload.
scheduler::SubmitRequest MakeSubmission(InferCall call, MonoTime deadline, const ServedModel& model,
                                        const RequestNames& names);

// Memory that its payload takes, with the outputs twice: they are held twice while the response is made of them.
int64_t PayloadBytes(const scheduler::SubmitRequest& submission);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SUBMISSION_H_
