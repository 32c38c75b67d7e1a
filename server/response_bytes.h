// The response of a served request as bytes of the wire.
//
// What TranslateOutcome and protobuf would make, without a message in between: a response has seven parameters, and a
// map of them costs more than all the rest of it. Parameters stand in the order of their making.
#ifndef ANYBIT_SERVER_RESPONSE_BYTES_H_
#define ANYBIT_SERVER_RESPONSE_BYTES_H_

#include <string>

#include "scheduler/request.h"
#include "server/served_model.h"
#include "server/translate_outcome.h"

namespace anybit::server {

// A serialized ModelInferResponse. `outcome` is of kServed.
std::string ResponseBytes(const scheduler::Outcome& outcome, const ResponseForm& form, const ServedModel& model);

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_RESPONSE_BYTES_H_
