// One version of the network as the edge sees it: what to check requests against, and what runs them.
//
// A version is immutable and shared. A request holds its version from the choice until its answer is sent, so a version
// that was replaced ends when its last request does.
#ifndef ANYBIT_SERVER_SERVED_VERSION_H_
#define ANYBIT_SERVER_SERVED_VERSION_H_

#include <optional>

#include "model/engine/device_reading.h"
#include "scheduler/scheduler.h"
#include "server/model_statistics.h"
#include "server/served_model.h"

namespace anybit::server {

// Any thread, but for its end, which waits for threads that run requests of it.
class ServedVersion {
 public:
  virtual ~ServedVersion() = default;

  virtual const ServedModel& model() const = 0;
  virtual scheduler::Scheduler& scheduler() = 0;
  virtual const ModelStatistics& statistics() const = 0;
  // A client knows whether an answer of `point` was correct.
  virtual void CountFeedback(PointId point, bool correct) {}
  // Brings the metrics up to date that no event tells.
  virtual void UpdateMetrics() {}
  // Of the device that it runs on, where there is one that tells.
  virtual std::optional<model::DeviceReading> ReadDevice() const { return std::nullopt; }
};

}  // namespace anybit::server

#endif  // ANYBIT_SERVER_SERVED_VERSION_H_
