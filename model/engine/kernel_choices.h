// The algorithm that each layer runs with, at each operating point and batch size: measured once, then kept.
#ifndef ANYBIT_MODEL_ENGINE_KERNEL_CHOICES_H_
#define ANYBIT_MODEL_ENGINE_KERNEL_CHOICES_H_

#include <array>
#include <string>
#include <vector>

namespace anybit::model {

// A batch runs with the choice for the largest of these sizes that its rows per thread reach.
inline constexpr std::array<int, 5> kChoiceRows = {1, 2, 4, 8, 16};

// The index of that size. rows >= 1.
constexpr int ChoiceIndex(int rows) {
  int index = 0;
  while (index + 1 < static_cast<int>(kChoiceRows.size()) && kChoiceRows[index + 1] <= rows) ++index;
  return index;
}

// Names of algorithms (such as those of model/kernels/cpu/conv_algorithm.h), by kChoiceRows.
using AlgorithmNames = std::array<std::string, kChoiceRows.size()>;

// Points and nodes by name: choices outlive the process, indices belong to one artifact.
struct LayerChoice {
  std::string point;
  std::string node;
  AlgorithmNames algorithms;

  friend bool operator==(const LayerChoice&, const LayerChoice&) = default;
};

struct KernelChoices {
  std::string isa;                  // name of the kernel table; the choices hold for that one only
  std::vector<LayerChoice> layers;  // one for each conv node at each point

  friend bool operator==(const KernelChoices&, const KernelChoices&) = default;
};

}  // namespace anybit::model

#endif  // ANYBIT_MODEL_ENGINE_KERNEL_CHOICES_H_
