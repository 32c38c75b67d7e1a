#include "server/processors.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace anybit::server {
namespace {

// More than any kernel is built for; one that knows of more processors than the set holds refuses to fill it.
constexpr int kMostProcessors = 65536;

struct FreeCpuSet {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};
using CpuSet = std::unique_ptr<cpu_set_t, FreeCpuSet>;

CpuSet MakeCpuSet() {
  CpuSet set(CPU_ALLOC(kMostProcessors));
  CPU_ZERO_S(CPU_ALLOC_SIZE(kMostProcessors), set.get());
  return set;
}

// The lowest number among the processors of the same core, which names the core; the processor's own if nobody tells.
int CoreOf(int processor) {
  int first = processor;
  std::ifstream file(absl::StrCat("/sys/devices/system/cpu/cpu", processor, "/topology/thread_siblings_list"));
  file >> first;
  return file ? first : processor;
}

}  // namespace

std::vector<Processor> AllowedProcessors() {
  std::vector<Processor> processors;
  const CpuSet set = MakeCpuSet();
  if (sched_getaffinity(0, CPU_ALLOC_SIZE(kMostProcessors), set.get()) == 0) {
    for (int number = 0; number < kMostProcessors; ++number) {
      if (CPU_ISSET_S(number, CPU_ALLOC_SIZE(kMostProcessors), set.get())) {
        processors.push_back({.number = number, .core = CoreOf(number)});
      }
    }
  }
  if (!processors.empty()) return processors;
  const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  for (int number = 0; number < count; ++number) processors.push_back({.number = number, .core = CoreOf(number)});
  return processors;
}

SlotLayout ChooseSlotLayout(int processors, std::optional<double> quota, const SlotWishes& wishes) {
  constexpr int kMostChosenSlots = 8;
  const bool limited = quota.has_value() && *quota < processors;
  const int whole = limited ? std::max(1, static_cast<int>(*quota)) : processors;
  const int computing = whole <= 2 ? 1 : whole - std::max(1, whole / 8);
  const auto share_of = [&](int taken) { return std::max(1, computing / std::max(1, taken)); };
  SlotLayout layout;
  layout.slots = wishes.slots != 0 ? wishes.slots : std::min(kMostChosenSlots, share_of(wishes.threads_per_slot));
  layout.threads_per_slot = wishes.threads_per_slot != 0 ? wishes.threads_per_slot : share_of(layout.slots);
  layout.pin = wishes.pin.value_or(!limited);
  const auto counted = [](int count, const char* thing) {
    return absl::StrCat(count, " ", thing, count == 1 ? "" : "s");
  };
  layout.reason =
      absl::StrCat(counted(processors, "processor"),
                   limited ? absl::StrCat(", a control group's quota of ", *quota, " of them") : std::string(), ": ",
                   counted(layout.slots, "slot"), wishes.slots != 0 ? " (given)" : "", " of ",
                   counted(layout.threads_per_slot, "thread"), wishes.threads_per_slot != 0 ? " (given)" : "",
                   layout.pin ? ", pinned" : ", not pinned", wishes.pin.has_value() ? " (given)" : "");
  return layout;
}

std::vector<ProcessorSet> AssignProcessors(const std::vector<Processor>& allowed, int slots, int threads_per_slot) {
  const size_t wanted = static_cast<size_t>(slots) * threads_per_slot;
  if (wanted > allowed.size() || (slots == 1 && wanted == allowed.size())) return {};
  struct Ranked {
    int rank;  // among the processors of its core
    Processor processor;
  };
  std::map<int, int> seen;  // of each core
  std::vector<Ranked> ranked;
  for (const Processor& processor : allowed) ranked.push_back({seen[processor.core]++, processor});
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) { return a.rank < b.rank; });
  ranked.resize(wanted);
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::tie(a.processor.core, a.processor.number) < std::tie(b.processor.core, b.processor.number);
  });
  std::vector<ProcessorSet> sets(slots);
  for (size_t i = 0; i < wanted; ++i) sets[i / threads_per_slot].push_back(ranked[i].processor.number);
  return sets;
}

absl::Status PinThisThread(const ProcessorSet& processors) {
  if (processors.empty()) return absl::OkStatus();
  const CpuSet set = MakeCpuSet();
  for (int number : processors) CPU_SET_S(number, CPU_ALLOC_SIZE(kMostProcessors), set.get());
  if (sched_setaffinity(0, CPU_ALLOC_SIZE(kMostProcessors), set.get()) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("cannot keep a slot on processors ", absl::StrJoin(processors, ", "), ": ", std::strerror(errno)));
}

}  // namespace anybit::server
