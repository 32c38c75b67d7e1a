// What is learned: an architecture and the examples it is trained and tested on, which fit each other.
#ifndef ANYBIT_MODEL_TRAIN_TASK_H_
#define ANYBIT_MODEL_TRAIN_TASK_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/data/damaged_rows.h"
#include "model/data/example_set.h"
#include "model/format/network_spec.h"

namespace anybit {

struct Task {
  std::string architecture;  // the text that gives `spec`, but for its labels
  NetworkSpec spec;
  std::unique_ptr<ExampleSet> training;
  std::unique_ptr<ExampleSet> test;  // null where it was not asked for
};

enum class TestRows : uint8_t { kNeeded, kUnused };

// `architecture` as ArchitectureByName takes it, `data` as OpenExamples does. Rows are made to fit the network; the
// number of classes follows the examples unless `architecture` says it, but where classes have no names a network that
// has more keeps them: not every class need occur. The examples' class names become the network's labels; labels of an
// architecture's own stay where the folder is named for the data they are of, Fashion-MNIST, and the classes have no
// names. InvalidArgument where the two do not fit, naming the option that would help. Data without test rows will do
// where these are unused.
absl::StatusOr<Task> OpenTask(const std::string& architecture, const std::string& data,
                              TestRows test_rows = TestRows::kNeeded);

// Takes `rows`, as FindDamaged gives them, out of the examples, and names each in `log`. `dropped` counts those of all
// splits, of which there may be `limit`. The errors of WithoutDamaged, which name the flag that allows more.
absl::Status DropDamaged(const std::vector<DamagedRow>& rows, int64_t limit, int64_t& dropped,
                         std::unique_ptr<ExampleSet>& examples, std::ostream& log);

// The data's name without the folders it lies in: "cifar10:/data/cifar" is "cifar10:cifar".
std::string NameOfData(const std::string& data);

}  // namespace anybit

#endif  // ANYBIT_MODEL_TRAIN_TASK_H_
