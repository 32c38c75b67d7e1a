#include "model/data/cifar.h"

#include <gtest/gtest.h>

#include "model/data/example_files.h"

namespace anybit::model {
namespace {

// A record whose planes are `red`, `green` and `blue`, but for the first pixel of the second line: 1, 2, 3.
std::string Record(const std::string& labels, char red, char green, char blue) {
  std::string planes = std::string(1024, red) + std::string(1024, green) + std::string(1024, blue);
  for (int plane = 0; plane < 3; ++plane) planes[plane * 1024 + 32] = static_cast<char>(plane + 1);
  return labels + planes;
}

std::string Lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "name" + std::to_string(i) + "\n";
  return text + "\n";
}

TEST(ReadCifarFolder, JoinsTheFiveTrainingFilesOfCifar10InOrder) {
  const std::string folder = FreshFolder("cifar_test_10");
  for (char file = 1; file <= 5; ++file) {
    const std::string name = "/data_batch_" + std::to_string(file) + ".bin";
    WriteFile(folder + name, Record({file}, file, 0, 0) + Record({0}, file, 0, 0));
  }
  WriteFile(folder + "/test_batch.bin", Record({'\x09'}, 10, 20, 30));
  WriteFile(folder + "/batches.meta.txt", Lines(10));
  const MemoryExamples training = *ReadCifarFolder(folder, Split::kTrain, Cifar::k10);
  EXPECT_EQ(training.count(), 10);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(training.label(i), i % 2 == 0 ? i / 2 + 1 : 0);
    EXPECT_EQ(training.rows(i, 1)[0], i / 2 + 1);
  }
  EXPECT_EQ(training.classes(), 10);
  EXPECT_EQ(training.class_names()[9], "name9");

  const MemoryExamples test = *ReadCifarFolder(folder, Split::kTest, Cifar::k10);
  ASSERT_EQ(test.count(), 1);
  EXPECT_EQ(test.shape(), (ExampleShape{.height = 32, .width = 32, .channels = 3}));
  EXPECT_EQ(test.label(0), 9);
  const auto pixels = test.rows(0, 1);
  EXPECT_EQ((std::vector<uint8_t>{pixels[0], pixels[1], pixels[2]}), (std::vector<uint8_t>{10, 20, 30}));
  EXPECT_EQ((std::vector<uint8_t>{pixels[96], pixels[97], pixels[98]}), (std::vector<uint8_t>{1, 2, 3}));
}

TEST(ReadCifarFolder, TakesFineOrCoarseLabelsOfCifar100) {
  const std::string folder = FreshFolder("cifar_test_100");
  WriteFile(folder + "/train.bin", Record("\x13\x63", 1, 2, 3));
  WriteFile(folder + "/coarse_label_names.txt", Lines(20));
  EXPECT_EQ(ReadCifarFolder(folder, Split::kTrain, Cifar::k100)->label(0), 99);
  EXPECT_EQ(ReadCifarFolder(folder, Split::kTrain, Cifar::k100)->class_names().size(), 0u);
  EXPECT_EQ(ReadCifarFolder(folder, Split::kTrain, Cifar::k100Coarse)->label(0), 19);
  EXPECT_EQ(ReadCifarFolder(folder, Split::kTrain, Cifar::k100Coarse)->classes(), 20);
}

TEST(ReadCifarFolder, ReadsGzippedFilesAndPlainOnesBeforeThem) {
  const std::string folder = FreshFolder("cifar_test_gzipped");
  WriteFile(folder + "/test_batch.bin.gz", Gzipped(Record({'\x05'}, 1, 2, 3)));
  EXPECT_EQ(ReadCifarFolder(folder, Split::kTest, Cifar::k10)->label(0), 5);
  EXPECT_EQ(ReadCifarFolder(folder, Split::kTest, Cifar::k10)->origin(), "1 images in '" + folder + "/test_batch.bin'");
  WriteFile(folder + "/test_batch.bin", Record({'\x06'}, 1, 2, 3));
  EXPECT_EQ(ReadCifarFolder(folder, Split::kTest, Cifar::k10)->label(0), 6);
}

TEST(ReadCifarFolder, NamesFileRecordValueAndLimit) {
  const std::string folder = FreshFolder("cifar_test_bad");
  const std::string path = folder + "/test_batch.bin";
  const auto error = [&](const std::string& bytes) {
    WriteFile(path, bytes);
    const absl::Status status = ReadCifarFolder(folder, Split::kTest, Cifar::k10).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    return std::string(status.message());
  };
  EXPECT_EQ(error(Record({'\0'}, 1, 2, 3) + Record({'\x0a'}, 1, 2, 3)),
            "'" + path + "' record 1 has label 10 of 10 classes");
  EXPECT_EQ(error(""), "'" + path + "' has 0 bytes, no whole records of 3073");
  EXPECT_EQ(error(Record({'\0'}, 1, 2, 3) + "x"), "'" + path + "' has 3074 bytes, no whole records of 3073");
  EXPECT_EQ(error(Record("12", 1, 2, 3)), "'" + path + "' has 3074 bytes, no whole records of 3073");
  WriteFile(folder + "/batches.meta.txt", Lines(9));
  EXPECT_EQ(error(Record({'\0'}, 1, 2, 3)), "'" + folder + "/batches.meta.txt' names 9 of 10 classes");
  WriteFile(folder + "/batches.meta.txt", Lines(9) + "caf\xe9\n");
  EXPECT_EQ(error(Record({'\0'}, 1, 2, 3)),
            "'" + folder + "/batches.meta.txt' names a class 'caf\\xe9', which is not valid UTF-8");
  // Training on two of five files would go unnoticed.
  std::remove((folder + "/batches.meta.txt").c_str());
  WriteFile(folder + "/data_batch_1.bin", Record({'\0'}, 1, 2, 3));
  EXPECT_EQ(ReadCifarFolder(folder, Split::kTrain, Cifar::k10).status().message(),
            "cannot open '" + folder + "/data_batch_2.bin'");
}

// Inside the pixels one place is like another, so the plain file is cut at every 61st only.
TEST(ReadCifarFolder, NoticesTruncations) {
  const std::string folder = FreshFolder("cifar_test_cut");
  const std::string plain = Record({'\x03'}, 1, 2, 3);
  for (const std::string& whole : {plain, Gzipped(plain)}) {
    const size_t step = whole.size() > 1000 ? 61 : 1;
    for (size_t size = 0; size < whole.size(); size += step) {
      WriteFile(folder + "/test_batch.bin", whole.substr(0, size));
      ASSERT_EQ(ReadCifarFolder(folder, Split::kTest, Cifar::k10).status().code(), absl::StatusCode::kDataLoss) << size;
    }
  }
}

}  // namespace
}  // namespace anybit::model
