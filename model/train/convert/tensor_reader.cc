#include "model/train/convert/tensor_reader.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/format/half.h"
#include "model/train/convert/resnet_names.h"

namespace anybit::model::train {
namespace {

template <typename T>
std::vector<T> Elements(absl::string_view bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

std::vector<float> ToFloats(const TensorView& tensor) {
  if (tensor.type == ElementType::kFloat32) return Elements<float>(tensor.bytes);
  std::vector<float> values;
  if (tensor.type == ElementType::kFloat64) {
    for (const double value : Elements<double>(tensor.bytes)) values.push_back(static_cast<float>(value));
    return values;
  }
  for (const uint16_t bits : Elements<uint16_t>(tensor.bytes)) {
    values.push_back(tensor.type == ElementType::kFloat16 ? FloatOfHalf(bits)
                                                          : std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
  }
  return values;
}

bool IsFloat(ElementType type) {
  return type == ElementType::kFloat16 || type == ElementType::kBFloat16 || type == ElementType::kFloat32 ||
         type == ElementType::kFloat64;
}

std::string ShapeText(absl::string_view name, const std::vector<int64_t>& shape) {
  return absl::StrCat("'", name, "' [", absl::StrJoin(shape, ","), "]");
}

// "; 12 tensors are missing: a, b, ... "
void AppendList(std::string& text, absl::string_view what, const std::vector<std::string>& items) {
  constexpr size_t kMaxListed = 12;
  if (items.empty()) return;
  absl::StrAppend(
      &text, text.empty() ? "" : "; ", items.size(), items.size() == 1 ? " tensor " : " tensors ", what, ": ",
      absl::StrJoin(items.begin(), items.begin() + static_cast<int64_t>(std::min(kMaxListed, items.size())), ", "),
      items.size() > kMaxListed ? ", ..." : "");
}

// Tensors on one line; several with the same last part are counted together.
std::string Together(const std::vector<std::pair<std::string, const TensorView*>>& tensors) {
  std::map<std::string, std::vector<std::string>> groups;
  for (const auto& [name, tensor] : tensors) {
    groups[name.substr(name.rfind('.') + 1)].push_back(
        absl::StrCat("'", name, "' ", tensor->type_name, " [", absl::StrJoin(tensor->shape, ","), "]"));
  }
  std::vector<std::string> texts;
  for (const auto& [last, names] : groups) {
    texts.push_back(names.size() == 1 ? names[0] : absl::StrCat(names.size(), " named *.", last));
  }
  return absl::StrJoin(texts, ", ");
}

// Whether the network would compute something else without the tensor. Batch counters only serve training, and masks of
// pruned weights are already applied to the weights.
bool Computes(absl::string_view name, const TensorView& tensor) {
  return IsOfResNet(name) && IsFloat(tensor.type) && !absl::EndsWith(name, "num_batches_tracked");
}

}  // namespace

absl::StatusOr<TensorReader> TensorReader::Create(const TensorFile& file) {
  TensorReader reader;
  std::map<std::string, std::string> whole_names;
  for (const auto& [whole, tensor] : file.tensors) {
    const std::string name(WithoutWrappers(whole));
    const auto [other, fresh] = whole_names.emplace(name, whole);
    if (!fresh) {
      return absl::InvalidArgumentError(absl::StrCat("tensors '", other->second, "' and '", whole, "' are both '", name,
                                                     "': keep one of the two networks"));
    }
    reader.tensors_.emplace(name, &tensor);
  }
  return reader;
}

bool TensorReader::HasPart(absl::string_view part) const {
  return std::any_of(tensors_.begin(), tensors_.end(), [&](const auto& entry) {
    return absl::StrCat(".", entry.first, ".").find(absl::StrCat(".", part, ".")) != std::string::npos;
  });
}

std::vector<float> TensorReader::Take(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    missing_.push_back(ShapeText(name, shape));
    return std::vector<float>(count);
  }
  taken_.insert(name);
  const TensorView& tensor = *found->second;
  if (tensor.shape != shape || !IsFloat(tensor.type)) {
    misshapen_.push_back(absl::StrCat(ShapeText(name, tensor.shape),
                                      IsFloat(tensor.type) ? "" : absl::StrCat(" of ", tensor.type_name),
                                      ", expected [", absl::StrJoin(shape, ","), "]"));
    return std::vector<float>(count);
  }
  std::vector<float> values = ToFloats(tensor);
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) infinite_.push_back(name);
  return values;
}

absl::Status TensorReader::status() const {
  std::vector<std::string> unexpected;
  for (const auto& [name, tensor] : tensors_) {
    if (!taken_.contains(name) && Computes(name, *tensor)) unexpected.push_back(ShapeText(name, tensor->shape));
  }
  std::string text;
  AppendList(text, "missing", missing_);
  AppendList(text, "of another shape", misshapen_);
  AppendList(text, "unexpected", unexpected);
  AppendList(text, "not finite", infinite_);
  return text.empty() ? absl::OkStatus() : absl::InvalidArgumentError(text);
}

std::string TensorReader::Unneeded() const {
  std::vector<std::pair<std::string, const TensorView*>> unneeded;
  for (const auto& entry : tensors_) {
    if (!taken_.contains(entry.first)) unneeded.push_back(entry);
  }
  return Together(unneeded);
}

}  // namespace anybit::model::train
