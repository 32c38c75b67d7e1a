#include "model/train/trainer/event_file.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace anybit::model::train {
namespace {

std::string Folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "/event_file_test_" + name;
  std::filesystem::remove_all(folder);
  return folder;
}

std::vector<proto::TensorBoardEvent> Events(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string bytes = text.str();
  std::vector<proto::TensorBoardEvent> events;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    const std::string data = bytes.substr(at + 12, length);
    EXPECT_EQ(bytes.substr(at, length + 16), EventRecord(data));
    EXPECT_TRUE(events.emplace_back().ParseFromString(data));
    at += length + 16;
  }
  return events;
}

TEST(EventRecord, FramesDataByTheirLengthAndMaskedChecksums) {
  // The CRCs of RFC 3720's 32 zeros and of the length 32, rotated and shifted by hand.
  const std::string data(32, '\0'), record = EventRecord(data);
  ASSERT_EQ(record.size(), 8u + 4 + 32 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\x20\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 32), data);
  const uint32_t masked = ((0x8a9136aau >> 15) | (0x8a9136aau << 17)) + 0xa282ead8u;
  uint32_t stored = 0;
  std::memcpy(&stored, record.data() + 44, 4);
  EXPECT_EQ(stored, masked);
}

TEST(ScalarsOf, HasEveryValueOfAStep) {
  const StepRecord record{.step = 12,
                          .joint = true,
                          .learning_rate = 0.004,
                          .points = {{.point = "fp32", .loss = 0.5, .gradient_norm = 2},
                                     {.point = "w8a8", .loss = 0.625, .gradient_norm = 1, .saturated = 0},
                                     {.point = "w4a4",
                                      .loss = 0.75,
                                      .teacher = "w8a8",
                                      .gradient_norm = 1.5,
                                      .saturated = 0.25,
                                      .activation_steps = {{"stem", 0.125}}}}};
  EXPECT_EQ(ScalarsOf(record, {.images_per_second = 3200, .seconds_left = 42}),
            (Scalars{{"learning_rate", 0.004},
                     {"images_per_second", 3200},
                     {"seconds_left", 42},
                     {"loss/fp32", 0.5},
                     {"gradient_norm/fp32", 2},
                     {"loss/w8a8", 0.625},
                     {"gradient_norm/w8a8", 1},
                     {"saturated/w8a8", 0},
                     {"loss/w4a4", 0.75},
                     {"gradient_norm/w4a4", 1.5},
                     {"saturated/w4a4", 0.25},
                     {"activation_step/w4a4/stem", 0.125},
                     {"teacher/w4a4/fp32", 0},
                     {"teacher/w4a4/w8a8", 1}}));
}

TEST(EventFile, BeginsWithItsVersionAndTheFirstStepAndHoldsZerosToo) {
  EventFile file = *EventFile::Create(Folder("whole"), /*done=*/4, /*now=*/1e9);
  ASSERT_TRUE(file.Write(5, 1e9 + 1, {{"loss/w4a4", 0.5}, {"saturated/w4a4", 0}}).ok());
  const std::vector<proto::TensorBoardEvent> events = Events(file.path());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[0].wall_time(), 1e9);
  EXPECT_EQ(events[1].step(), 5);
  EXPECT_EQ(events[1].session().status(), proto::TensorBoardSession::START);
  EXPECT_EQ(events[2].step(), 5);
  EXPECT_EQ(events[2].wall_time(), 1e9 + 1);
  ASSERT_EQ(events[2].summary().scalars_size(), 2);
  EXPECT_EQ(events[2].summary().scalars(0).tag(), "loss/w4a4");
  EXPECT_EQ(events[2].summary().scalars(0).value(), 0.5f);
  EXPECT_TRUE(events[2].summary().scalars(1).has_value());
}

TEST(EventFile, NamesFilesInTheOrderOfTheirTimesAndOverwritesNone) {
  const std::string folder = Folder("names");
  const std::string first = EventFile::Create(folder, 0, 999999999.7)->path();
  const std::string second = EventFile::Create(folder, 0, 999999999.9)->path();
  const std::string third = EventFile::Create(folder, 0, 1e9)->path();
  EXPECT_EQ(first, folder + "/events.out.tfevents.0999999999.0000.anybit");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST(EventFile, NamesAFolderThatCannotBeMade) {
  const std::string file = testing::TempDir() + "/event_file_test_file";
  std::ofstream(file) << "no folder";
  const absl::Status status = EventFile::Create(file + "/run", 0, 1e9).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("cannot make the folder '" + file + "/run'"), std::string::npos) << status;
}

}  // namespace
}  // namespace anybit::model::train
