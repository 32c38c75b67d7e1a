#include "model/kernels/cuda/testing/run_on_host.h"

#include <cstring>
#include <memory>
#include <variant>

#include "model/kernels/cuda/dispatch.h"
#include "model/kernels/cuda/item_bodies.h"
#include "model/kernels/cuda/map_bodies.h"

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

// CUTLASS has no body that the host could run: this is the definition, on the operands that its kernels get.
void RunCutlassCall(const CutlassConvCall& call) {
  const ConvGeometry& g = call.geometry;
  const int words = call.in_stored / CodesPerWord(call.operand), taps = g.kernel * g.kernel;
  const auto* in = static_cast<const uint32_t*>(call.in);
  const auto* weights = static_cast<const uint32_t*>(call.weights);
  for (int64_t pixel = 0; pixel < g.pixels(); ++pixel) {
    for (int o = 0; o < g.out_stored; ++o) {
      int32_t sum = 0;
      VisitWindow(g, PixelAt(g, pixel), [&](int tap, int64_t from) {
        for (int word = 0; word < words; ++word) {
          sum +=
              ProductOfWords(call.operand, in[from * words + word], weights[(int64_t{o} * taps + tap) * words + word]);
        }
      });
      const bool adds = call.epilogue.residual != nullptr;
      const float residual =
          adds ? static_cast<const uint8_t*>(call.epilogue.residual)[pixel * call.epilogue.residual_stored + o] : 0.0f;
      static_cast<uint8_t*>(call.out)[pixel * g.out_stored + o] =
          CodeFrom(sum, call.epilogue.scale_and_bias[2 * o], call.epilogue.scale_and_bias[2 * o + 1], residual,
                   call.epilogue.residual_scale, adds, call.epilogue.highest);
    }
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
  void operator()(const CutlassConvCall& call) const { RunCutlassCall(call); }
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
