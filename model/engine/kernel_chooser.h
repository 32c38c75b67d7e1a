// A network's side of choosing kernels: what it runs each layer with can be measured, told, and asked.
//
// Results do not depend on it, only how soon they come. Implementations: PackedNetwork, and networks of tests.
#ifndef ANYBIT_MODEL_ENGINE_KERNEL_CHOOSER_H_
#define ANYBIT_MODEL_ENGINE_KERNEL_CHOOSER_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "model/engine/kernel_choices.h"

namespace anybit {

class KernelChooser {
 public:
  virtual ~KernelChooser() = default;

  // What has been set or measured, and, of points that have run, what was guessed from the number of multiplications.
  virtual KernelChoices choices() const = 0;

  // InvalidArgument, naming it, for a choice of another instruction set, or of a layer, point or algorithm that does
  // not exist; then nothing changes. Points and layers that are not named keep what they have; where a choice would not
  // be exact, a guess stands in for it. Any thread.
  virtual absl::Status SetChoices(const KernelChoices& choices) = 0;

  // Measures every algorithm of every layer at every point and chooses the fastest, for as many of kChoiceRows as are
  // at most `max_rows` and `budget_ns` in all allows: sizes that are left out follow a larger one that was measured,
  // those above the largest it. `now_ns` is a monotonic clock. What is begun is finished: packing a point's candidates,
  // and one round, may overrun the budget. Points that are not reached keep what they have. Panels of all candidates of
  // one point are in memory meanwhile.
  virtual void MeasureChoices(int max_rows, int64_t budget_ns, const std::function<int64_t()>& now_ns) = 0;
};

}  // namespace anybit

#endif  // ANYBIT_MODEL_ENGINE_KERNEL_CHOOSER_H_
