#include "model/train/trainer/checkpoint.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

std::string Path(const char* name) { return testing::TempDir() + "/checkpoint_test_" + name; }

const Checkpoint kCheckpoint{
    .identity = "network \"x\"; seed 1",
    .step = 42,
    .tensors = {{"network.w", {{2, 3}, {1, 2, 3, 4, 5, -0.1f}}}, {"optimizer.0.step", {{}, {7}}}}};

TEST(Checkpoint, ComesBackAsItWas) {
  const std::string path = Path("whole");
  ASSERT_TRUE(WriteCheckpoint(kCheckpoint, path).ok());
  const Checkpoint read = *ReadCheckpoint(path);
  EXPECT_EQ(read.identity, kCheckpoint.identity);
  EXPECT_EQ(read.step, 42);
  ASSERT_EQ(read.tensors.size(), 2u);
  EXPECT_EQ(read.tensors.at("network.w").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(read.tensors.at("network.w").values, kCheckpoint.tensors.at("network.w").values);
  EXPECT_EQ(read.tensors.at("optimizer.0.step").values, std::vector<float>{7});
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST(Checkpoint, StaysAsItWasWhenTheNextOneCannotBeWritten) {
  const std::string path = Path("kept");
  ASSERT_TRUE(WriteCheckpoint(kCheckpoint, path).ok());
  std::filesystem::create_directory(path + ".partial");
  EXPECT_EQ(WriteCheckpoint({.step = 43}, path).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReadCheckpoint(path)->step, 42);
  std::filesystem::remove(path + ".partial");
}

TEST(Checkpoint, IsNotReadFromAnythingElse) {
  EXPECT_EQ(ReadCheckpoint(Path("absent")).status().code(), absl::StatusCode::kNotFound);
  const std::string path = Path("cut");
  ASSERT_TRUE(WriteCheckpoint(kCheckpoint, path).ok());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_EQ(ReadCheckpoint(path).status().code(), absl::StatusCode::kDataLoss);
  std::ofstream(path) << "not a checkpoint";
  EXPECT_EQ(ReadCheckpoint(path).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace anybit::model::train
