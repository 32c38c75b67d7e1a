#include "model/arch/vgg.h"

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

struct Stage {
  int channels, convolutions;
};
constexpr Stage kStages[] = {{64, 2}, {128, 2}, {256, 3}, {512, 3}, {512, 3}};

}  // namespace

NetworkSpec Vgg16(const ImageTask& task) {
  SpecWriter writer("vgg16", task);
  int stage = 0;
  for (const auto& [channels, convolutions] : kStages) {
    const std::string name = absl::StrCat("stage", ++stage);
    for (int i = 1; i <= convolutions; ++i) {
      writer.Conv(absl::StrCat(name, ".conv", i), {.channels = ScaledChannels(channels, task.width)});
    }
    if (writer.side() > 1) writer.HalvingPool(absl::StrCat(name, ".pool"));
  }
  return writer.FinishWithHead();
}

}  // namespace anybit::model
