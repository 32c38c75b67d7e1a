// The kernel choices of one network in memory, by point and layer, and their exchange with KernelChoices.
//
// Algorithms are names here, so every engine may use the table, whatever its algorithms. All methods: any thread.
#ifndef ANYBIT_MODEL_ENGINE_CHOICE_TABLE_H_
#define ANYBIT_MODEL_ENGINE_CHOICE_TABLE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/point_id.h"
#include "model/engine/kernel_choices.h"

namespace anybit::model {

class ChoiceTable {
 public:
  struct Names {
    std::string isa;                  // of the kernels
    std::vector<std::string> points;  // by PointId
    std::vector<std::string> layers;  // by layer index; empty where a layer has no choice
    std::function<bool(absl::string_view)> is_algorithm;
  };

  // All choices are empty at first.
  explicit ChoiceTable(Names names);

  // As KernelChooser says. Layers without a choice at their point are left out.
  KernelChoices choices() const;
  absl::Status Set(const KernelChoices& choices);

  // The choices of one point, by layer. An empty name: not chosen yet.
  std::vector<AlgorithmNames> At(PointId point) const;
  void SetAt(PointId point, std::vector<AlgorithmNames> choices);

 private:
  // Sets one layer's choice in `table`.
  absl::Status Apply(const LayerChoice& choice, std::vector<std::vector<AlgorithmNames>>& table) const;

  const Names names_;

  mutable absl::Mutex mutex_;
  std::vector<std::vector<AlgorithmNames>> table_ ABSL_GUARDED_BY(mutex_);  // [point][layer]
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_CHOICE_TABLE_H_
