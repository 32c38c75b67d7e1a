#include "model/kernels/cpu/instruction_set.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

std::vector<std::string> NamesFor(const Processor& processor) {
  std::vector<std::string> names;
  for (const KernelTable* table : KernelsFor(processor)) names.emplace_back(table->name);
  return names;
}

#if defined(__x86_64__)
Processor SapphireRapids(std::function<bool()> request_tiles) {
  return {.avx2 = true,
          .avx_vnni = true,
          .avx512 = true,
          .vector_popcount = true,
          .amx = true,
          .request_tiles = std::move(request_tiles)};
}

TEST(KernelsFor, ArePortableAlone) { EXPECT_EQ(NamesFor({}), (std::vector<std::string>{"portable"})); }

TEST(KernelsFor, AreAllOfAProcessorBestFirst) {
  EXPECT_EQ(NamesFor(SapphireRapids([] { return true; })),
            (std::vector<std::string>{"amx", "avx512", "avx_vnni", "avx2", "portable"}));
}

TEST(KernelsFor, LeaveOutTilesThatTheOperatingSystemRefuses) {
  EXPECT_EQ(NamesFor(SapphireRapids([] { return false; })),
            (std::vector<std::string>{"avx512", "avx_vnni", "avx2", "portable"}));
}

TEST(KernelsFor, AskForTilesOnceAndOnlyWhereTheProcessorHasThem) {
  int requests = 0;
  const auto count = [&] { return ++requests > 0; };
  KernelsFor(SapphireRapids(count));
  EXPECT_EQ(requests, 1);
  Processor ice_lake = SapphireRapids(count);
  ice_lake.amx = false;
  EXPECT_EQ(NamesFor(ice_lake).front(), "avx512");
  Processor masked = SapphireRapids(count);  // a hypervisor that hides AVX-512 but not AMX
  masked.avx512 = false;
  EXPECT_EQ(NamesFor(masked).front(), "avx_vnni");
  EXPECT_EQ(requests, 1);
}

TEST(KernelsFor, HaveTilesInTheTableOfAmxOnly) {
  for (const KernelTable* table : KernelsFor(SapphireRapids([] { return true; }))) {
    EXPECT_EQ(table->tiles != nullptr, std::string(table->name) == "amx") << table->name;
  }
}
#endif

TEST(KernelsByName, AreTheSupportedOnes) {
  for (const KernelTable* table : SupportedKernels()) EXPECT_EQ(*KernelsByName(table->name), table);
  EXPECT_EQ(*KernelsByName("auto"), SupportedKernels().front());
}

TEST(KernelsByName, TellAnUnknownNameFromOneThatThisProcessorLacks) {
  EXPECT_EQ(KernelsByName("mmx").status().code(), absl::StatusCode::kInvalidArgument);
  for (const char* name : {"amx", "avx512", "avx_vnni", "avx2", "portable"}) {
    EXPECT_NE(KernelsByName(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace anybit::model
