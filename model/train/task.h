// The task of a run: an architecture, and training and test examples that fit it.
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

namespace anybit::model::train {

struct Task {
  std::string architecture;  // the text from which `spec` was made, except for its labels
  NetworkSpec spec;
  std::unique_ptr<ExampleSet> training;
  std::unique_ptr<ExampleSet> test;  // null with TestRows::kUnused
};

enum class TestRows : uint8_t { kNeeded, kUnused };

// Opens `data` (see OpenExamples) for `architecture` (see ArchitectureByName). Rows are converted to the network's
// input.
//
// The number of classes is that of the examples, unless `architecture` gives it. Where classes have no names, a network
// may have more classes than occur. The names of the classes become the network's labels. Without names, the
// architecture's own labels, which are those of Fashion-MNIST, stay only if `data` has "fashion" in its name.
//
// InvalidArgument, with the option that would help, where the two do not fit. Data without test rows are accepted with
// TestRows::kUnused.
absl::StatusOr<Task> OpenTask(const std::string& architecture, const std::string& data,
                              TestRows test_rows = TestRows::kNeeded);

// Removes `rows` (see FindDamaged) from `examples` and lists them in `log`. `dropped` counts the removed rows of all
// splits, of which `limit` are allowed. The errors of WithoutDamaged, with the flag that allows more.
absl::Status DropDamaged(const std::vector<DamagedRow>& rows, int64_t limit, int64_t& dropped,
                         std::unique_ptr<ExampleSet>& examples, std::ostream& log);

// The name of `data` without its parent folders: "cifar10:cifar" for "cifar10:/data/cifar".
std::string NameOfData(const std::string& data);

}  // namespace anybit::model::train

#endif  // ANYBIT_MODEL_TRAIN_TASK_H_
