#include "model/train/processes/launch.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace anybit::model::train {
namespace {

// The number low..high that `text`, the value of variable `name`, stands for.
absl::StatusOr<int> ReadNumber(const char* name, const std::string& text, int low, int high) {
  int value = 0;
  if (text.empty()) return absl::InvalidArgumentError(absl::StrCat(name, " is not set, though other variables are"));
  if (!absl::SimpleAtoi(text, &value) || value < low || value > high) {
    return absl::InvalidArgumentError(absl::StrCat(name, "='", text, "' is not a number of ", low, "..", high));
  }
  return value;
}

}  // namespace

absl::StatusOr<Launch> ParseLaunch(const std::function<std::string(const char*)>& variable) {
  Launch launch;
  const std::string rank = variable("RANK"), size = variable("WORLD_SIZE");
  if (rank.empty() && size.empty()) return launch;
  constexpr int kMaxProcesses = 4096;  // refuses typing errors; far above any group in use
  absl::StatusOr<int> number = ReadNumber("WORLD_SIZE", size, 1, kMaxProcesses);
  if (!number.ok()) return number.status();
  launch.size = *number;
  number = ReadNumber("RANK", rank, 0, launch.size - 1);
  if (!number.ok()) return number.status();
  launch.rank = *number;
  if (const std::string local = variable("LOCAL_RANK"); !local.empty()) {
    number = ReadNumber("LOCAL_RANK", local, 0, kMaxProcesses - 1);
    if (!number.ok()) return number.status();
    launch.local_rank = *number;
  }
  launch.serves_store = launch.rank == 0;
  if (launch.alone()) return launch;

  launch.address = variable("MASTER_ADDR");
  if (launch.address.empty()) return absl::InvalidArgumentError("MASTER_ADDR is not set, though WORLD_SIZE is");
  number = ReadNumber("MASTER_PORT", variable("MASTER_PORT"), 1, 65535);
  if (!number.ok()) return number.status();
  launch.port = *number;
  if (variable("TORCHELASTIC_USE_AGENT_STORE") == "True") {
    launch.serves_store = false;
    launch.prefix = absl::StrCat("/worker/attempt_", variable("TORCHELASTIC_RESTART_COUNT"));
  }
  return launch;
}

}  // namespace anybit::model::train
