#include "model/import/fold_constants.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/import/resolve_shapes.h"

namespace anybit::model {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 26;

using Inputs = std::vector<const Constant*>;

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::StatusOr<int64_t> CountOf(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && count > kMaxElements / extent)) {
      return Refused("a constant of shape [", absl::StrJoin(shape, ","), "], the limit is ", kMaxElements, " elements");
    }
    count *= std::max<int64_t>(1, extent);
  }
  return std::find(shape.begin(), shape.end(), 0) == shape.end() ? count : 0;
}

Constant Empty(std::vector<int64_t> shape, bool integer) { return {.shape = std::move(shape), .integer = integer}; }

void Append(const Constant& from, int64_t index, Constant& to) {
  if (to.integer) to.integers.push_back(from.integers[index]);
  if (!to.integer) to.floats.push_back(from.floats[index]);
}

absl::StatusOr<Constant> WithShape(const Constant& from, absl::StatusOr<std::vector<int64_t>> shape) {
  if (!shape.ok()) return shape.status();
  Constant to = from;
  to.shape = *std::move(shape);
  return to;
}

// The elements of a tensor before each step of dimension `axis` and behind it.
struct Blocks {
  int64_t outer = 1, extent = 1, inner = 1;
};

Blocks BlocksOf(const std::vector<int64_t>& shape, size_t axis) {
  Blocks blocks{.extent = shape[axis]};
  for (size_t i = 0; i < axis; ++i) blocks.outer *= shape[i];
  for (size_t i = axis + 1; i < shape.size(); ++i) blocks.inner *= shape[i];
  return blocks;
}

// `from` with the steps `indices` of dimension `axis`, which becomes `extents`.
absl::StatusOr<Constant> Select(const Constant& from, size_t axis, const std::vector<int64_t>& indices,
                                const std::vector<int64_t>& extents) {
  const Blocks blocks = BlocksOf(from.shape, axis);
  Constant to = Empty(from.shape, from.integer);
  to.shape.erase(to.shape.begin() + static_cast<int64_t>(axis));
  to.shape.insert(to.shape.begin() + static_cast<int64_t>(axis), extents.begin(), extents.end());
  if (absl::Status status = CountOf(to.shape).status(); !status.ok()) return status;
  for (int64_t o = 0; o < blocks.outer; ++o) {
    for (const int64_t index : indices) {
      for (int64_t i = 0; i < blocks.inner; ++i) {
        Append(from, (o * blocks.extent + index) * blocks.inner + i, to);
      }
    }
  }
  return to;
}

absl::StatusOr<Constant> Gather(const GraphNode& node, const Inputs& inputs) {
  const absl::StatusOr<size_t> axis = ResolveAxis(node.Integer("axis", 0), inputs[0]->shape.size());
  if (!axis.ok()) return axis.status();
  if (!inputs[1]->integer) return Refused("indices that are no whole numbers");
  const int64_t extent = inputs[0]->shape[*axis];
  std::vector<int64_t> indices;
  for (const int64_t index : inputs[1]->integers) {
    if (index < -extent || index >= extent) return Refused("index ", index, " of a dimension of ", extent);
    indices.push_back(index < 0 ? index + extent : index);
  }
  return Select(*inputs[0], *axis, indices, inputs[1]->shape);
}

// The steps begin, begin + step, ... before `end` of a dimension, as Slice clamps them.
std::vector<int64_t> Steps(int64_t extent, int64_t begin, int64_t end, int64_t step) {
  const auto clamped = [&](int64_t at) {
    if (at < 0) at = at < -extent ? -1 : at + extent;
    return step > 0 ? std::clamp<int64_t>(at, 0, extent) : std::clamp<int64_t>(at, -1, extent - 1);
  };
  std::vector<int64_t> steps;
  const int64_t last = clamped(end);
  for (int64_t at = clamped(begin); step > 0 ? at < last : at > last;) {
    steps.push_back(at);
    if (step > extent || -step > extent) break;
    at += step;
  }
  return steps;
}

absl::StatusOr<Constant> Slice(const GraphNode& node, const Inputs& inputs, int opset) {
  const auto argument = [&](size_t index, const char* attribute) {
    if (opset < 10) return node.Integers(attribute);
    return index < inputs.size() && inputs[index] != nullptr ? inputs[index]->integers : std::vector<int64_t>{};
  };
  const std::vector<int64_t> starts = argument(1, "starts"), ends = argument(2, "ends");
  std::vector<int64_t> axes = argument(3, "axes"), steps = argument(4, "steps");
  for (size_t i = axes.size(); i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  steps.resize(std::max(steps.size(), starts.size()), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size()) return Refused("limits of different number");
  Constant to = *inputs[0];
  for (size_t i = 0; i < starts.size(); ++i) {
    const absl::StatusOr<size_t> axis = ResolveAxis(axes[i], to.shape.size());
    if (!axis.ok()) return axis.status();
    if (steps[i] == 0 || steps[i] == INT64_MIN) return Refused("step ", steps[i]);
    const std::vector<int64_t> kept = Steps(to.shape[*axis], starts[i], ends[i], steps[i]);
    absl::StatusOr<Constant> cut = Select(to, *axis, kept, {static_cast<int64_t>(kept.size())});
    if (!cut.ok()) return cut.status();
    to = *std::move(cut);
  }
  return to;
}

absl::StatusOr<Constant> Concat(const GraphNode& node, const Inputs& inputs) {
  const std::vector<int64_t>& first = inputs[0]->shape;
  const absl::StatusOr<size_t> axis = ResolveAxis(node.Integer("axis", 0), first.size());
  if (!axis.ok()) return axis.status();
  Constant to = Empty(first, inputs[0]->integer);
  to.shape[*axis] = 0;
  for (const Constant* input : inputs) {
    std::vector<int64_t> shape = input->shape;
    if (shape.size() != first.size() || input->integer != to.integer) return Refused("tensors of different kinds");
    to.shape[*axis] += shape[*axis];
    shape[*axis] = first[*axis];
    if (shape != first) return Refused("tensors of different shapes");
  }
  if (absl::Status status = CountOf(to.shape).status(); !status.ok()) return status;
  const Blocks blocks = BlocksOf(to.shape, *axis);
  for (int64_t o = 0; o < blocks.outer; ++o) {
    for (const Constant* input : inputs) {
      const int64_t size = input->shape[*axis] * blocks.inner;
      for (int64_t i = 0; i < size; ++i) Append(*input, o * size + i, to);
    }
  }
  return to;
}

absl::StatusOr<Constant> Transpose(const GraphNode& node, const Inputs& inputs) {
  const std::vector<int64_t>& shape = inputs[0]->shape;
  std::vector<int64_t> order = node.Integers("perm");
  if (order.empty()) {
    for (size_t i = shape.size(); i-- > 0;) order.push_back(static_cast<int64_t>(i));
  }
  std::vector<int64_t> strides(shape.size(), 1), sorted = order;
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < shape.size(); ++i) {
    if (sorted.size() != shape.size() || sorted[i] != static_cast<int64_t>(i)) {
      return Refused("permutation [", absl::StrJoin(order, ","), "] of ", shape.size(), " dimensions");
    }
  }
  Constant to = Empty({}, inputs[0]->integer);
  for (const int64_t axis : order) to.shape.push_back(shape[axis]);
  for (int64_t i = 0; i < inputs[0]->count(); ++i) {
    int64_t rest = i, from = 0;
    for (size_t d = order.size(); d-- > 0;) {
      from += rest % to.shape[d] * strides[order[d]];
      rest /= to.shape[d];
    }
    Append(*inputs[0], from, to);
  }
  return to;
}

absl::StatusOr<std::vector<int64_t>> Broadcast(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  const size_t rank = std::max(a.size(), b.size());
  std::vector<int64_t> shape(rank, 1);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t of_a = i + a.size() < rank ? 1 : a[i + a.size() - rank];
    const int64_t of_b = i + b.size() < rank ? 1 : b[i + b.size() - rank];
    if (of_a != of_b && of_a != 1 && of_b != 1) {
      return Refused("shapes [", absl::StrJoin(a, ","), "] and [", absl::StrJoin(b, ","), "] do not fit");
    }
    shape[i] = of_a == 1 ? of_b : of_a;
  }
  return shape;
}

// The element of a tensor of shape `from` that stands at element `index` of its broadcast to `to`.
int64_t BroadcastIndex(const std::vector<int64_t>& from, const std::vector<int64_t>& to, int64_t index) {
  int64_t at = 0, stride = 1;
  for (size_t i = to.size(); i-- > 0;) {
    const int64_t step = index % to[i];
    index /= to[i];
    if (i + from.size() < to.size()) continue;
    const int64_t extent = from[i + from.size() - to.size()];
    if (extent != 1) at += step * stride;
    stride *= extent;
  }
  return at;
}

float OfFloats(const std::string& op, float a, float b) {
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  return op == "Mul" ? a * b : a / b;
}

// Whole numbers wrap around, as they do in ONNX's runtimes; division by 0 gives 0.
int64_t OfIntegers(const std::string& op, int64_t a, int64_t b) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  if (op == "Add") return static_cast<int64_t>(x + y);
  if (op == "Sub") return static_cast<int64_t>(x - y);
  if (op == "Mul") return static_cast<int64_t>(x * y);
  return b == 0 ? 0 : b == -1 ? static_cast<int64_t>(0 - x) : a / b;
}

absl::StatusOr<Constant> Binary(const GraphNode& node, const Inputs& inputs) {
  if (inputs[0]->integer != inputs[1]->integer) return Refused("operands of different types");
  absl::StatusOr<std::vector<int64_t>> shape = Broadcast(inputs[0]->shape, inputs[1]->shape);
  if (!shape.ok()) return shape.status();
  const absl::StatusOr<int64_t> count = CountOf(*shape);
  if (!count.ok()) return count.status();
  Constant to = Empty(*shape, inputs[0]->integer);
  for (int64_t i = 0; i < *count; ++i) {
    const int64_t a = BroadcastIndex(inputs[0]->shape, *shape, i), b = BroadcastIndex(inputs[1]->shape, *shape, i);
    if (to.integer) to.integers.push_back(OfIntegers(node.op, inputs[0]->integers[a], inputs[1]->integers[b]));
    if (!to.integer) to.floats.push_back(OfFloats(node.op, inputs[0]->floats[a], inputs[1]->floats[b]));
  }
  return to;
}

absl::StatusOr<Constant> Unary(const GraphNode& node, const Inputs& inputs) {
  Constant to = *inputs[0];
  if (to.integer) return Refused("whole numbers");
  for (float& value : to.floats) value = node.op == "Neg" ? -value : std::sqrt(value);
  return to;
}

absl::StatusOr<Constant> Cast(const GraphNode& node, const Inputs& inputs) {
  // The numbers of TensorProto's float types: float, float16, double, bfloat16.
  const int64_t type = node.Integer("to", 1);
  const bool integer = type != 1 && type != 10 && type != 11 && type != 16;
  Constant to = Empty(inputs[0]->shape, integer);
  for (int64_t i = 0; i < inputs[0]->count(); ++i) {
    if (!integer) {
      to.floats.push_back(inputs[0]->AsFloat(i));
    } else if (inputs[0]->integer) {
      to.integers.push_back(inputs[0]->integers[i]);
    } else {
      const float value = inputs[0]->floats[i];
      if (!(std::fabs(value) < 9e18f)) return Refused("a cast of ", value, " to a whole number");
      to.integers.push_back(static_cast<int64_t>(value));
    }
  }
  return to;
}

absl::StatusOr<Constant> ConstantNode(const GraphNode& node) {
  for (const auto& [name, attribute] : node.attributes) {
    if (attribute.tensor != nullptr) return *attribute.tensor;
    if (name == "value_float") return Constant{.floats = {attribute.number}};
    if (name == "value_int") return Constant{.integer = true, .integers = {attribute.integer}};
    if (name == "value_floats") {
      return Constant{.shape = {static_cast<int64_t>(attribute.numbers.size())}, .floats = attribute.numbers};
    }
    if (name == "value_ints") {
      return Constant{
          .shape = {static_cast<int64_t>(attribute.integers.size())}, .integer = true, .integers = attribute.integers};
    }
  }
  return Refused("a constant that is neither a tensor nor numbers");
}

absl::StatusOr<Constant> ConstantOfShape(const GraphNode& node, const Inputs& inputs) {
  if (!inputs[0]->integer) return Refused("a shape that is no whole numbers");
  const absl::StatusOr<int64_t> count = CountOf(inputs[0]->integers);
  if (!count.ok()) return count.status();
  const auto found = node.attributes.find("value");
  const Constant zero{.floats = {0}};
  const Constant& value =
      found == node.attributes.end() || found->second.tensor == nullptr ? zero : *found->second.tensor;
  if (value.count() != 1) return Refused("a value of ", value.count(), " elements");
  Constant to = Empty(inputs[0]->integers, value.integer);
  for (int64_t i = 0; i < *count; ++i) Append(value, 0, to);
  return to;
}

absl::StatusOr<Constant> Shaped(const GraphNode& node, const Inputs& inputs) {
  const Constant& from = *inputs[0];
  const Constant* argument = inputs.size() > 1 ? inputs[1] : nullptr;
  if (node.op == "Squeeze") return WithShape(from, ResolveSqueeze(from.shape, AxesOf(node, argument)));
  if (node.op == "Unsqueeze") return WithShape(from, ResolveUnsqueeze(from.shape, AxesOf(node, argument)));
  if (node.op == "Reshape") {
    if (argument == nullptr || !argument->integer) return Refused("a shape that is no whole numbers");
    return WithShape(from, ResolveReshape(from.shape, argument->integers, node.Integer("allowzero", 0) != 0));
  }
  return WithShape(from, ResolveFlatten(from.shape, node.Integer("axis", 1)));
}

absl::StatusOr<Constant> ShapeOf(const GraphNode& node, const Inputs& inputs) {
  const std::vector<int64_t> shape =
      ResolveShape(inputs[0]->shape, node.Integer("start", 0), node.Integer("end", INT64_MAX));
  return Constant{.shape = {static_cast<int64_t>(shape.size())}, .integer = true, .integers = shape};
}

using Fold = absl::StatusOr<Constant> (*)(const GraphNode&, const Inputs&);

struct Foldable {
  size_t operands;  // that must be there
  Fold fold;        // Slice, which knows the opset, has none
};

const std::map<absl::string_view, Foldable>& Foldables() {
  static const auto& foldables = *new std::map<absl::string_view, Foldable>{
      {"Add", {2, Binary}},
      {"Cast", {1, Cast}},
      {"Concat", {1, Concat}},
      {"Constant", {0, [](const GraphNode& node, const Inputs&) { return ConstantNode(node); }}},
      {"ConstantOfShape", {1, ConstantOfShape}},
      {"Div", {2, Binary}},
      {"Dropout", {1, [](const GraphNode&, const Inputs& inputs) { return absl::StatusOr<Constant>(*inputs[0]); }}},
      {"Flatten", {1, Shaped}},
      {"Gather", {2, Gather}},
      {"Identity", {1, [](const GraphNode&, const Inputs& inputs) { return absl::StatusOr<Constant>(*inputs[0]); }}},
      {"Mul", {2, Binary}},
      {"Neg", {1, Unary}},
      {"Reshape", {1, Shaped}},
      {"Shape", {1, ShapeOf}},
      {"Slice", {1, nullptr}},
      {"Sqrt", {1, Unary}},
      {"Squeeze", {1, Shaped}},
      {"Sub", {2, Binary}},
      {"Transpose", {1, Transpose}},
      {"Unsqueeze", {1, Shaped}},
  };
  return foldables;
}

}  // namespace

bool CanFold(absl::string_view op) { return Foldables().contains(op); }

absl::StatusOr<Constant> FoldNode(const GraphNode& node, const Inputs& inputs, int opset) {
  const auto found = Foldables().find(node.op);
  const auto refused = [&](absl::string_view reason) { return Refused(Describe(node), " of constants: ", reason); };
  if (found == Foldables().end()) return refused("this operator is not computed at import");
  const size_t needed = node.op == "Concat" ? inputs.size() : found->second.operands;
  if (inputs.size() < std::max(needed, found->second.operands)) return refused("an input is missing");
  for (size_t i = 0; i < needed; ++i) {
    if (inputs[i] == nullptr) return refused("an input is missing");
  }
  absl::StatusOr<Constant> folded =
      found->second.fold == nullptr ? Slice(node, inputs, opset) : found->second.fold(node, inputs);
  if (!folded.ok()) return refused(folded.status().message());
  return folded;
}

}  // namespace anybit::model
