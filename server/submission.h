// A valid request as the scheduler takes it.
#ifndef ANYBIT_SERVER_SUBMISSION_H_
#define ANYBIT_SERVER_SUBMISSION_H_

#include <cstdint>

#include "base/time.h"
#include "scheduler/scheduler.h"
#include "server/served_model.h"
#include "server/translate_request.h"

namespace anybit::server {

// The terms of `call`, and its input with room for the outputs as an InferencePayload.
scheduler::SubmitRequest MakeSubmission(InferCall call, MonoTime deadline, const ServedModel& model);

// Memory that its payload takes, with the outputs twice: they are held twice while the response is made of them.
int64_t PayloadBytes(const scheduler::SubmitRequest& submission);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SUBMISSION_H_
