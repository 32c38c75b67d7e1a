// Where a server stands in its life, as calls see it.
#ifndef ANYBIT_SERVER_SERVING_STATE_H_
#define ANYBIT_SERVER_SERVING_STATE_H_

#include <atomic>

namespace anybit::server {

enum class ServingState {
  kStarting,  // requests are refused
  kReady,
  kLeaving,  // no longer ready; new requests go to the scheduler, which refuses them once it drains
};

// Set by the thread that starts and stops the server; read by the threads of gRPC and of the queues of calls.
using SharedServingState = std::atomic<ServingState>;

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SERVING_STATE_H_
