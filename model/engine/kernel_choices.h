// Which algorithm each layer runs with, at each operating point and for few or many rows: measured once, then kept.
#ifndef ANYBIT_MODEL_ENGINE_KERNEL_CHOICES_H_
#define ANYBIT_MODEL_ENGINE_KERNEL_CHOICES_H_

#include <array>
#include <string>
#include <vector>

namespace anybit {

// A batch runs with the choice for the largest of these sizes that is not above its own (per thread).
inline constexpr std::array<int, 5> kChoiceRows = {1, 2, 4, 8, 16};

// The index of that size. rows >= 1.
constexpr int ChoiceIndex(int rows) {
  int index = 0;
  while (index + 1 < static_cast<int>(kChoiceRows.size()) && kChoiceRows[index + 1] <= rows) ++index;
  return index;
}

struct LayerChoice {
  std::string point;
  std::string node;
  std::array<std::string, kChoiceRows.size()> algorithms;  // names of kernels/conv_layer.h, by kChoiceRows

  friend bool operator==(const LayerChoice&, const LayerChoice&) = default;
};

struct KernelChoices {
  std::string isa;                  // the kernel table's name: choices are of use on the same one only
  std::vector<LayerChoice> layers;  // one for each conv node at each point

  friend bool operator==(const KernelChoices&, const KernelChoices&) = default;
};

}  // namespace anybit

#endif  // ANYBIT_MODEL_ENGINE_KERNEL_CHOICES_H_
