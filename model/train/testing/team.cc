#include "model/train/testing/team.h"

#include <spawn.h>
#include <sys/wait.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <csignal>
#include <string_view>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

extern char** environ;

namespace anybit::model::train {
namespace {

constexpr char kThisProgram[] = "/proc/self/exe";
constexpr std::string_view kWorker = "--worker=";

}  // namespace

Peer::Peer(const std::string& worker, const Launch& launch) {
  std::string texts[] = {kThisProgram, absl::StrCat(std::string(kWorker), worker), absl::StrCat(launch.rank),
                         absl::StrCat(launch.size), absl::StrCat(launch.port)};
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  if (posix_spawn(&id_, kThisProgram, nullptr, nullptr, arguments.data(), environ) != 0) id_ = -1;
}

Peer::~Peer() {
  if (id_ <= 0) return;
  kill(id_, SIGKILL);
  Wait();
}

int Peer::Wait() {
  int status = 0;
  if (id_ <= 0 || waitpid(id_, &status, 0) != id_) return -1;
  id_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Team MakeTeam(const std::string& worker, int size) {
  Team team;
  Launch launch{.rank = 0, .size = size, .serves_store = true};
  team.rendezvous = *ProcessGroup::Open(launch, kTeamTimeout);
  launch.port = team.rendezvous->port();
  for (int rank = 1; rank < size; ++rank) {
    Launch other = launch;
    other.rank = rank;
    team.peers.push_back(std::make_unique<Peer>(worker, other));
  }
  team.group = *ProcessGroup::Join(launch, *team.rendezvous, ProcessGroup::Transport::kGloo, kTeamTimeout);
  return team;
}

int RunTeamTests(int argc, char** argv, const Workers& workers) {
  testing::InitGoogleTest(&argc, argv);
  torch::set_num_threads(1);  // more threads would slow layers this small
  if (argc != 5 || !std::string_view(argv[1]).starts_with(kWorker)) return RUN_ALL_TESTS();
  const Launch launch{
      .rank = std::stoi(argv[2]), .size = std::stoi(argv[3]), .port = std::stoi(argv[4]), .serves_store = false};
  const auto rendezvous = *ProcessGroup::Open(launch, kTeamTimeout);
  const auto group = *ProcessGroup::Join(launch, *rendezvous, ProcessGroup::Transport::kGloo, kTeamTimeout);
  workers.at(argv[1] + kWorker.size())(*group);
  return testing::Test::HasFailure() ? 1 : 0;
}

}  // namespace anybit::model::train
