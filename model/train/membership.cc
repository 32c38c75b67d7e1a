#include "model/train/membership.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace anybit::model::train {
namespace {

// How long a process waits for another, which may be evaluating or writing.
constexpr std::chrono::minutes kGroupTimeout(30);

}  // namespace

absl::StatusOr<Membership> JoinGroup(const std::string& device) {
  absl::StatusOr<Launch> launch = ParseLaunch([](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  });
  if (!launch.ok()) return launch.status();
  Membership membership{.launch = *launch, .device = device};
  if (launch->alone()) return membership;
  auto rendezvous = ProcessGroup::Open(*launch, kGroupTimeout);
  if (!rendezvous.ok()) return rendezvous.status();
  membership.rendezvous = *std::move(rendezvous);
  const auto transport = device == "cpu" ? ProcessGroup::Transport::kGloo : ProcessGroup::Transport::kNccl;
  auto group = ProcessGroup::Join(*launch, *membership.rendezvous, transport, kGroupTimeout);
  if (!group.ok()) return group.status();
  membership.group = *std::move(group);
  if (device == "cuda") membership.device = absl::StrCat("cuda:", launch->local_rank);
  return membership;
}

absl::Status EndTogether(const Membership& membership, const absl::Status& own, std::atomic<int>& stop) {
  if (membership.group == nullptr) return own;
  const torch::Tensor signal =
      torch::full({1}, absl::IsCancelled(own) ? stop.load() : 0, torch::kInt64).to(torch::Device(membership.device));
  if (absl::Status status = membership.group->Broadcast({signal}); !status.ok()) return status;
  stop = static_cast<int>(signal.item<int64_t>());
  return own.ok() && stop != 0 ? absl::CancelledError("stopped") : own;
}

}  // namespace anybit::model::train
