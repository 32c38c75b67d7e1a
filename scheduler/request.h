// A request as the scheduler knows it, and how it can end.
//
// The tensors are not here: a Payload travels beside the request, opaque, and returns to the caller with its Outcome.
#ifndef ANYBIT_SCHEDULER_REQUEST_H_
#define ANYBIT_SCHEDULER_REQUEST_H_

#include <array>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "base/time.h"
#include "scheduler/point_table.h"

namespace anybit::scheduler {

enum class RequestId : uint64_t {};
enum class SlaClassId : uint8_t {};
enum class TenantId : uint8_t {};

// The part of a waiting request that a policy may know.
//
// Three instants are told apart. The deadline was asked for by the caller (SubmitRequest). The answer must leave by
// `answer_by`. The batch must end by `run_by`, earlier by the time that answers take to be sent (DeliveryMeter).
struct PendingRequest {
  RequestId id{};
  MonoTime arrival{};
  MonoTime answer_by = kNever;
  MonoTime run_by = kNever;  // not after answer_by
  PointSet allowed;          // the points it accepts (floors and pins, already resolved); never empty
  SlaClassId sla_class{};
  TenantId tenant{};
  int rows = 1;  // of the batch dimension; 1..max_batch
};

// The tensors that the runner reads and fills. Owned by exactly one of: caller, queue, batch, caller again.
class Payload {
 public:
  virtual ~Payload() = default;
};

enum class OutcomeKind : uint8_t {
  kServed,       // ran; see deadline_met
  kShed,         // refused before work: ResourceExhausted
  kExpired,      // its deadline passed while it waited: DeadlineExceeded
  kCancelled,    // the client went away: Cancelled
  kFailed,       // the runner reported an error: that Status
  kUnavailable,  // draining: Unavailable
};
inline constexpr int kOutcomeKinds = 6;

// "served", "shed", "expired", "cancelled", "failed", "unavailable".
const char* OutcomeName(OutcomeKind kind);

// Why a request was shed.
enum class ShedReason : uint8_t {
  kDeadline,   // behind those that wait, no point can meet its deadline
  kQueueFull,  // too many wait
  kLate,       // it has waited, and no point can meet its deadline any more
  kWeight,     // a request of more weight needs its place or its time
  kMemory,     // requests hold too much memory
  kCalls,      // more calls come than are received
};
inline constexpr int kShedReasons = 6;
inline constexpr std::array<const char*, kShedReasons> kShedReasonNames = {"deadline", "queue_full", "late",
                                                                           "weight",   "memory",     "calls"};

// How one request ended. Fields after `status` are meaningful for kServed (and kFailed, which ran too).
struct Outcome {
  OutcomeKind kind = OutcomeKind::kFailed;
  absl::Status status;  // OK exactly for kServed
  PointId point{};
  double expected_accuracy = 0;  // of the point, 0..1
  int batch_rows = 0;            // rows of the whole batch it ran in
  Duration queue_time{};         // arrival to batch start
  Duration compute_time{};       // batch start to batch finish
  MonoTime ended{};              // when the scheduler took the batch back, or refused it
  bool deadline_met = false;
  Duration retry_after{};            // for kShed: when capacity is expected; 0 = not known
  std::unique_ptr<Payload> payload;  // the one submitted
};

}  // namespace anybit::scheduler

#endif  // ANYBIT_SCHEDULER_REQUEST_H_
