#include "model/kernels/cpu/testing/tile_model.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace anybit::model {
namespace {

constexpr int kTiles = 8, kMaxRows = 16, kMaxRowBytes = 64;

struct Tile {
  int rows = 0, row_bytes = 0;
  uint8_t bytes[kMaxRows][kMaxRowBytes] = {};
};

struct Registers {
  bool configured = false;
  Tile tiles[kTiles];
};

thread_local Registers registers;

[[noreturn]] void Stop(const char* reason) {
  std::fprintf(stderr, "tile model: %s\n", reason);
  std::abort();
}

Tile& At(int tile) {
  if (!registers.configured) Stop("no tile is configured");
  if (tile < 0 || tile >= kTiles) Stop("no such tile");
  if (registers.tiles[tile].rows == 0) Stop("this tile is not configured");
  return registers.tiles[tile];
}

// One row of sums: with codes of one row and all weights.
void MultiplyAddRow(const Tile& weights, const uint8_t* codes, int depth, int outputs, uint8_t* row) {
  uint32_t sums[kMaxRowBytes / 4];
  std::memcpy(sums, row, sizeof(sums));
  for (int k = 0; k < depth; ++k) {
    const uint8_t* four = weights.bytes[k];
    for (int n = 0; n < outputs; ++n) {
      int32_t sum = 0;
      for (int i = 0; i < 4; ++i) sum += codes[4 * k + i] * static_cast<int8_t>(four[4 * n + i]);
      sums[n] += static_cast<uint32_t>(sum);
    }
  }
  std::memcpy(row, sums, sizeof(sums));
}

// bfloat16 number i of a row; zero in place of a denormal one.
float BfloatAt(const uint8_t* row, int i) {
  uint32_t bits = 0;
  std::memcpy(reinterpret_cast<uint8_t*>(&bits) + 2, row + 2 * i, 2);
  if ((bits & 0x7f800000) == 0) bits &= 0x80000000;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// In the order of the instruction's definition. A product of two bfloat16 numbers is exact as a float, so it does not
// matter whether its addition is fused with it.
void MultiplyAddBfloatRow(const Tile& weights, const uint8_t* values, int depth, int outputs, uint8_t* row) {
  float sums[kMaxRowBytes / 4];
  std::memcpy(sums, row, sizeof(sums));
  for (int n = 0; n < outputs; ++n) {
    float even = 0, odd = 0;
    for (int k = 0; k < depth; ++k) {
      even += BfloatAt(values, 2 * k) * BfloatAt(weights.bytes[k], 2 * n);
      odd += BfloatAt(values, 2 * k + 1) * BfloatAt(weights.bytes[k], 2 * n + 1);
    }
    sums[n] += even + odd;
  }
  std::memcpy(row, sums, sizeof(sums));
}

// The tiles of a product, checked.
struct Operands {
  Tile &sums, &left, &right;
};

Operands OperandsOf(int sums, int left, int right) {
  Tile &c = At(sums), &a = At(left), &b = At(right);
  if (sums == left || sums == right || left == right) Stop("one tile is two operands of a product");
  if (c.rows != a.rows || c.row_bytes != b.row_bytes || a.row_bytes != 4 * b.rows) Stop("shapes do not fit a product");
  if (a.row_bytes % 4 != 0 || b.row_bytes % 4 != 0) Stop("rows are not whole steps of 4 bytes");
  return {c, a, b};
}

}  // namespace

void ConfigureTileModel(const TileShapes& shapes) {
  if (shapes.palette != 1 || shapes.start_row != 0) Stop("only palette 1 from row 0 is modelled");
  for (int i = 0; i < 16; ++i) {
    if ((shapes.rows[i] == 0) != (shapes.row_bytes[i] == 0)) Stop("a tile has rows or columns only");
    if (shapes.rows[i] > kMaxRows || shapes.row_bytes[i] > kMaxRowBytes) Stop("a tile is too large");
    if (i >= kTiles && shapes.rows[i] != 0) Stop("palette 1 has eight tiles");
  }
  registers = {};
  registers.configured = true;
  for (int i = 0; i < kTiles; ++i) {
    registers.tiles[i].rows = shapes.rows[i];
    registers.tiles[i].row_bytes = shapes.row_bytes[i];
  }
}

void ReleaseTileModel() { registers = {}; }

void ClearModelledTile(int tile) { std::memset(At(tile).bytes, 0, sizeof(Tile::bytes)); }

void LoadModelledTile(int tile, const uint8_t* from, int64_t stride) {
  Tile& t = At(tile);
  std::memset(t.bytes, 0, sizeof(t.bytes));
  for (int row = 0; row < t.rows; ++row) std::memcpy(t.bytes[row], from + row * stride, t.row_bytes);
}

void StoreModelledTile(int tile, int32_t* to, int64_t stride) {
  const Tile& t = At(tile);
  for (int row = 0; row < t.rows; ++row) {
    std::memcpy(reinterpret_cast<uint8_t*>(to) + row * stride, t.bytes[row], t.row_bytes);
  }
}

void MultiplyAddModelledTiles(int sums, int codes, int weights) {
  const auto [c, a, b] = OperandsOf(sums, codes, weights);
  for (int row = 0; row < c.rows; ++row) MultiplyAddRow(b, a.bytes[row], b.rows, b.row_bytes / 4, c.bytes[row]);
}

void MultiplyAddModelledBfloats(int sums, int values, int weights) {
  const auto [c, a, b] = OperandsOf(sums, values, weights);
  for (int row = 0; row < c.rows; ++row) MultiplyAddBfloatRow(b, a.bytes[row], b.rows, b.row_bytes / 4, c.bytes[row]);
}

}  // namespace anybit::model
