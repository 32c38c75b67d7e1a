// The flags that say how each request is to be served, which all client programs take.
#ifndef ANYBIT_CLIENT_REQUEST_FLAGS_H_
#define ANYBIT_CLIENT_REQUEST_FLAGS_H_

#include "client/inference_client.h"

namespace anybit::client {

// Of --operating_point, --min_accuracy_bp, --min_bits, --sla_class and --tenant; the rest is the default. The programs
// differ in --deadline_ms.
InferOptions RequestOfFlags();

}  // namespace anybit::client

#endif  // ANYBIT_CLIENT_REQUEST_FLAGS_H_
