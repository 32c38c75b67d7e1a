#include "model/kernels/cpu/testing/tile_model.h"

#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model {
namespace {

// sums: rows x outputs; codes: rows x depth bytes; weights: depth / 4 x outputs of 4 bytes.
TileShapes ShapesFor(int rows, int depth, int outputs) {
  TileShapes shapes;
  const auto set = [&](int tile, int tile_rows, int bytes) {
    shapes.rows[tile] = static_cast<uint8_t>(tile_rows);
    shapes.row_bytes[tile] = static_cast<uint16_t>(bytes);
  };
  set(0, rows, 4 * outputs);
  set(1, rows, depth);
  set(2, depth / 4, 4 * outputs);
  return shapes;
}

class TileModelTest : public testing::Test {
 protected:
  ~TileModelTest() override { ReleaseTileModel(); }
};

using TileModelDeathTest = TileModelTest;

TEST_F(TileModelTest, AddsProductsOfUnsignedCodesAndSignedWeights) {
  std::mt19937_64 random(1);
  for (const auto& [rows, depth, outputs] : std::vector<std::array<int, 3>>{{16, 64, 16}, {1, 4, 1}, {5, 28, 3}}) {
    ConfigureTileModel(ShapesFor(rows, depth, outputs));
    std::vector<int32_t> sums(rows * outputs), expected;
    for (int32_t& sum : sums) sum = static_cast<int32_t>(random());
    std::vector<uint8_t> codes(rows * depth), weights(depth * outputs);
    for (uint8_t& code : codes) code = static_cast<uint8_t>(random());
    for (uint8_t& weight : weights) weight = static_cast<uint8_t>(random());
    for (int m = 0; m < rows; ++m) {
      for (int n = 0; n < outputs; ++n) {
        uint32_t sum = static_cast<uint32_t>(sums[m * outputs + n]);
        for (int k = 0; k < depth; ++k) {
          const int weight = static_cast<int8_t>(weights[k / 4 * 4 * outputs + 4 * n + k % 4]);
          sum += static_cast<uint32_t>(codes[m * depth + k] * weight);
        }
        expected.push_back(static_cast<int32_t>(sum));
      }
    }
    LoadModelledTile(0, reinterpret_cast<const uint8_t*>(sums.data()), 4 * outputs);
    LoadModelledTile(1, codes.data(), depth);
    LoadModelledTile(2, weights.data(), 4 * outputs);
    MultiplyAddModelledTiles(0, 1, 2);
    StoreModelledTile(0, sums.data(), 4 * outputs);
    EXPECT_EQ(sums, expected) << rows << " x " << depth << " x " << outputs;
  }
}

TEST_F(TileModelTest, ReadsAndWritesRowsOneStrideApartAndNoOtherByte) {
  ConfigureTileModel(ShapesFor(2, 4, 1));
  const std::vector<uint8_t> from = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  LoadModelledTile(0, from.data() + 1, 4);  // rows 2 3 4 5, 6 7 8 9
  std::vector<int32_t> to(4, -1);
  StoreModelledTile(0, to.data(), 8);
  EXPECT_EQ(to, (std::vector<int32_t>{0x05040302, -1, 0x09080706, -1}));
}

TEST_F(TileModelTest, ClearsByZeroAndByConfiguration) {
  const std::vector<int32_t> ones(1, 1);
  std::vector<int32_t> to(1, -1);
  ConfigureTileModel(ShapesFor(1, 4, 1));
  for (const bool by_configuration : {false, true}) {
    LoadModelledTile(0, reinterpret_cast<const uint8_t*>(ones.data()), 4);
    if (by_configuration) {
      ConfigureTileModel(ShapesFor(1, 4, 1));
    } else {
      ClearModelledTile(0);
    }
    StoreModelledTile(0, to.data(), 4);
    EXPECT_EQ(to[0], 0);
    to[0] = -1;
  }
}

TEST_F(TileModelDeathTest, StopsWhereNoTileIsConfigured) {
  EXPECT_DEATH(ClearModelledTile(0), "no tile is configured");
  ConfigureTileModel(ShapesFor(16, 64, 16));
  EXPECT_DEATH(ClearModelledTile(3), "this tile is not configured");
  ReleaseTileModel();
  EXPECT_DEATH(ClearModelledTile(0), "no tile is configured");
}

TEST_F(TileModelDeathTest, StopsAtShapesThatDoNotFit) {
  TileShapes shapes = ShapesFor(16, 64, 16);
  shapes.rows[1] = 15;
  ConfigureTileModel(shapes);
  EXPECT_DEATH(MultiplyAddModelledTiles(0, 1, 2), "shapes do not fit");
  shapes = ShapesFor(16, 64, 16);
  shapes.rows[2] = 15;
  ConfigureTileModel(shapes);
  EXPECT_DEATH(MultiplyAddModelledTiles(0, 1, 2), "shapes do not fit");
}

TEST_F(TileModelDeathTest, StopsAtEqualOperands) {
  TileShapes shapes;
  for (int tile = 0; tile < 8; ++tile) {
    shapes.rows[tile] = 16;
    shapes.row_bytes[tile] = 64;
  }
  ConfigureTileModel(shapes);
  EXPECT_DEATH(MultiplyAddModelledTiles(0, 0, 1), "two operands");
  EXPECT_DEATH(MultiplyAddModelledTiles(0, 1, 0), "two operands");
  EXPECT_DEATH(MultiplyAddModelledTiles(0, 1, 1), "two operands");
}

TEST_F(TileModelDeathTest, StopsAtShapesThatNoProcessorTakes) {
  TileShapes too_many = ShapesFor(16, 64, 16);
  too_many.rows[8] = 16;
  too_many.row_bytes[8] = 64;
  EXPECT_DEATH(ConfigureTileModel(too_many), "eight tiles");
  TileShapes too_large = ShapesFor(16, 64, 16);
  too_large.rows[0] = 17;
  EXPECT_DEATH(ConfigureTileModel(too_large), "too large");
}

}  // namespace
}  // namespace anybit::model
