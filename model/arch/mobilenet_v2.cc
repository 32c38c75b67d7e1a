#include "model/arch/mobilenet_v2.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace anybit::model {
namespace {

struct Stage {
  int expansion, channels, blocks, stride;
};
constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
constexpr int kStem = 32, kLast = 1280;

// The nearest multiple of 8 that is at most a tenth smaller (the authors' rule).
int MultipleOf8(int channels, double width) {
  const double wanted = channels * width;
  const int nearest = std::max(8, static_cast<int>(wanted + 4) / 8 * 8);
  return nearest < 0.9 * wanted ? nearest + 8 : nearest;
}

void WriteBlock(const std::string& name, int expansion, int channels, int stride, SpecWriter& writer) {
  const std::string input = writer.last();
  const int from = writer.channels();
  if (expansion > 1) writer.Conv(absl::StrCat(name, ".expand"), {.channels = expansion * from, .kernel = 1});
  writer.Conv(absl::StrCat(name, ".depthwise"), {.channels = expansion * from, .stride = stride, .depthwise = true});
  writer.Conv(
      absl::StrCat(name, ".project"),
      {.channels = channels, .kernel = 1, .relu = false, .residual = stride == 1 && from == channels ? input : ""});
}

NetworkSpec MakeMobileNetV2(const char* name, const ImageTask& task, bool small_images) {
  SpecWriter writer(name, task);
  writer.Conv("stem", {.channels = MultipleOf8(kStem, task.width), .stride = small_images ? 1 : 2});
  int stage = 0;
  for (const auto& [expansion, channels, blocks, stride] : kStages) {
    ++stage;
    const bool strides = stride > 1 && !(small_images && stage == 2);
    for (int block = 1; block <= blocks; ++block) {
      WriteBlock(absl::StrCat("stage", stage, ".block", block), expansion, MultipleOf8(channels, task.width),
                 strides && block == 1 ? stride : 1, writer);
    }
  }
  // Narrower networks keep the width of the last layer.
  writer.Conv("last", {.channels = MultipleOf8(kLast, std::max(1.0, task.width)), .kernel = 1});
  return writer.FinishWithHead();
}

}  // namespace

NetworkSpec MobileNetV2(const ImageTask& task) { return MakeMobileNetV2("mobilenetv2", task, true); }
NetworkSpec MobileNetV2ImageNet(const ImageTask& task) { return MakeMobileNetV2("mobilenetv2_imagenet", task, false); }

}  // namespace anybit::model
