// A version that no request runs on: for what chooses, describes and replaces versions.
#ifndef ANYBIT_SERVER_TESTING_IDLE_VERSION_H_
#define ANYBIT_SERVER_TESTING_IDLE_VERSION_H_

#include <cstdlib>
#include <string>
#include <utility>

#include "server/model_statistics.h"
#include "server/served_version.h"
#include "server/testing/infer_request.h"

namespace anybit::server::testing {

class IdleVersion : public ServedVersion {
 public:
  explicit IdleVersion(model::NetworkDescription network) : model_(Model()) { model_.network = std::move(network); }
  explicit IdleVersion(int64_t version, std::string checksum = "") : model_(Model()) {
    model_.network.version = version;
    model_.network.checksum = std::move(checksum);
  }

  const ServedModel& model() const override { return model_; }
  scheduler::Scheduler& scheduler() override { std::abort(); }
  const ModelStatistics& statistics() const override { return statistics_; }

 private:
  ServedModel model_;
  const ModelStatistics statistics_{4, [] { return WallTime(); }};
};

}  // namespace anybit::server::testing

#endif  // ANYBIT_SERVER_TESTING_IDLE_VERSION_H_
