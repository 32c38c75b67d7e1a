// The part of a network that chooses kernels: choices can be measured, set and read.
//
// Results do not depend on the choices, only their speed does. Implementations: PackedNetwork, and networks of tests.
#ifndef ANYBIT_MODEL_ENGINE_KERNEL_CHOOSER_H_
#define ANYBIT_MODEL_ENGINE_KERNEL_CHOOSER_H_

#include <chrono>
#include <functional>
#include <stop_token>

#include "absl/status/status.h"
#include "model/engine/kernel_choices.h"

namespace anybit::model {

// The time since some fixed instant; never runs backwards.
using MonotonicClock = std::function<std::chrono::nanoseconds()>;

class KernelChooser {
 public:
  virtual ~KernelChooser() = default;

  // All choices that were set or measured and, for points that have been prepared, those that were guessed from the
  // number of multiplications.
  virtual KernelChoices choices() const = 0;

  // InvalidArgument, naming the value, for a choice of another instruction set, or of a layer, point or algorithm that
  // does not exist; then nothing changes. Points and layers that are not named keep their choices. Where a choice would
  // not be exact, a guess replaces it. Any thread.
  virtual absl::Status SetChoices(const KernelChoices& choices) = 0;

  // Measures every algorithm of every layer at every point and chooses the fastest, for each size of kChoiceRows up to
  // `max_rows` that `budget` allows. A size that is left out takes the choice of the next larger measured size, or of
  // the largest. Points that are not reached keep their choices, or take those of the point before them where they have
  // none. The budget may be exceeded by packing the candidates of one point and by one round of measurements. Holds the
  // panels of all candidates of one point in memory. Once `stop` is requested it ends after the present run or packing,
  // and the point that is measured keeps its choices.
  virtual void MeasureChoices(int max_rows, std::chrono::nanoseconds budget, const MonotonicClock& now,
                              std::stop_token stop) = 0;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_KERNEL_CHOOSER_H_
