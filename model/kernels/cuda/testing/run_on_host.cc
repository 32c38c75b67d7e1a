#include "model/kernels/cuda/testing/run_on_host.h"

#include <cstring>
#include <memory>
#include <variant>

#include "model/kernels/cuda/dispatch.h"
#include "model/kernels/cuda/item_bodies.h"

namespace anybit::model::cuda {
namespace {

// Shared memory begins with whatever was there.
constexpr int kGarbage = 0xA5;

template <class Shared, class Work>
void EachBlock(int64_t blocks, int threads, Schedule schedule, const Work& work) {
  const auto shared = std::make_unique<Shared>();
  for (int64_t i = 0; i < blocks; ++i) {
    std::memset(static_cast<void*>(shared.get()), kGarbage, sizeof(Shared));
    HostBlock block(i, threads, schedule);
    work(block, *shared);
  }
}

struct HostRunner {
  Schedule schedule;

  void operator()(const ConvCall& call) const {
    ForConvTile(call, [&]<class Tile, int kCopyWords>() {
      EachBlock<typename Tile::Shared>(ConvBlocks(call), Tile::kThreads, schedule,
                                       [&](HostBlock& block, typename Tile::Shared& shared) {
                                         RunConvBlock<Tile, kCopyWords>(block, call, shared);
                                       });
    });
  }
  void operator()(const WinogradCall& call) const {
    ForWinogradTile(call, [&]<class Tile>() {
      EachBlock<typename Tile::Shared>(
          WinogradBlocks(call), Tile::kThreads, schedule,
          [&](HostBlock& block, typename Tile::Shared& shared) { RunWinogradBlock<Tile>(block, call, shared); });
    });
  }
  void operator()(const LinearCall& call) const {
    for (int64_t i = 0; i < LinearBlocks(call); ++i) {
      HostBlock block(i, kLinearThreads, schedule);
      RunLinearBlock(block, call);
    }
  }
  template <class Call>
  void operator()(const Call& call) const {
    for (int64_t item = 0; item < Items(call); ++item) RunItem(call, item);
  }
};

}  // namespace

void RunOnHost(const KernelCall& call, Schedule schedule) { std::visit(HostRunner{schedule}, call); }

}  // namespace anybit::model::cuda
