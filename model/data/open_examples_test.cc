// The choice of a reader for a folder, and the contract of every kind of example set.
#include "model/data/open_examples.h"

#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "model/data/example_files.h"

namespace anybit::model {
namespace {

constexpr ExampleShape kShape{.height = 32, .width = 32, .channels = 3};

std::string Idx(int dimensions, const std::string& extents, const std::string& values) {
  std::string bytes = {0, 0, 8, static_cast<char>(dimensions)};
  for (char extent : extents) bytes += {0, 0, 0, extent};
  return bytes + values;
}

std::string IdxFolder(const std::string& name) {
  const std::string folder = FreshFolder(name);
  for (const char* part : {"train", "t10k"}) {
    std::string pixels;
    for (int i = 0; i < 2 * 28 * 28; ++i) pixels += static_cast<char>(i % 28 < 20 ? i * 7 : 0);
    WriteFile(folder + "/" + part + "-images-idx3-ubyte.gz", Gzipped(Idx(3, {2, 28, 28}, pixels)));
    WriteFile(folder + "/" + part + "-labels-idx1-ubyte", Idx(1, {2}, {3, 4}));
  }
  return folder;
}

std::string Cifar10Folder(const std::string& name) {
  const std::string folder = FreshFolder(name);
  for (int i = 1; i <= 5; ++i) {
    WriteFile(folder + "/data_batch_" + std::to_string(i) + ".bin", std::string(2 * 3073, 5));
  }
  WriteFile(folder + "/test_batch.bin", std::string(3073, 5));
  return folder;
}

std::string Cifar100Folder(const std::string& name) {
  const std::string folder = FreshFolder(name);
  for (const char* file : {"/train.bin", "/test.bin"}) {
    WriteFile(folder + file, std::string("\x07\x46") + std::string(3072, 9));
  }
  return folder;
}

std::string ImageFolder(const std::string& name) {
  const std::string folder = FreshFolder(name);
  for (const char* part : {"/train", "/test"}) {
    WriteFile(folder + part + "/a/1.png", PngBytes(Gradient(40, 50, 3)));
    WriteFile(folder + part + "/b/1.jpg", JpegBytes(Gradient(33, 20, 1), 90));
  }
  return folder;
}

std::string ClipFolder(const std::string& name) {
  const std::string folder = FreshFolder(name);
  for (const char* part : {"/train", "/test"}) {
    for (int frame = 0; frame < 5; ++frame) {
      WriteFile(folder + part + "/a/clip/" + std::to_string(frame) + ".png", PngBytes(Gradient(10 + frame, 20, 3)));
    }
  }
  return folder;
}

TEST(OpenExamples, TellsTheKindByTheFiles) {
  const auto count_and_label = [](const std::string& data, Split split) {
    const auto set = OpenExamples(data, split, kShape);
    EXPECT_TRUE(set.ok()) << set.status();
    return std::pair((*set)->count(), (*set)->label(0));
  };
  for (Split split : {Split::kTrain, Split::kTest}) {
    EXPECT_EQ(count_and_label(IdxFolder("open_idx"), split), std::pair(int64_t{2}, 3));
    EXPECT_EQ(count_and_label(Cifar10Folder("open_10"), split), std::pair(int64_t{split == Split::kTrain ? 10 : 1}, 5));
    EXPECT_EQ(count_and_label(Cifar100Folder("open_100"), split), std::pair(int64_t{1}, 0x46));
    EXPECT_EQ(count_and_label("cifar100-coarse:" + Cifar100Folder("open_100"), split), std::pair(int64_t{1}, 7));
    EXPECT_EQ(count_and_label(ImageFolder("open_images"), split), std::pair(int64_t{2}, 0));
    EXPECT_EQ(count_and_label("clips:" + ClipFolder("open_clips"), split), std::pair(int64_t{1}, 0));
  }
}

TEST(OpenExamples, TakesFoldersBelowAClassForClipsOnlyWhenAsked) {
  const std::string folder = ClipFolder("open_not_clips");
  EXPECT_EQ((*OpenExamples(folder, Split::kTrain, kShape))->count(), 5);
  EXPECT_EQ((*OpenExamples("clips:" + folder, Split::kTrain, kShape))->count(), 1);
  EXPECT_EQ(OpenExamples(folder, Split::kTrain, {.frames = 4, .height = 32, .width = 32}).status().message(),
            "still images for a network of 4 frames; clips, folders of frames, are opened as clips:" + folder);
}

TEST(OpenExamples, NamesNearMisses) {
  const std::string folder = FreshFolder("open_near");
  const auto error = [&] { return std::string(OpenExamples(folder, Split::kTrain, kShape).status().message()); };
  WriteFile(folder + "/a.txt", "");
  WriteFile(folder + "/train_images.idx3", "");
  EXPECT_NE(error().find("It holds the folders nothing and the files 'train_images.idx3', 'a.txt'"), std::string::npos)
      << error();
  WriteFile(folder + "/cat/1.png", "");
  EXPECT_NE(error().find("'cat' holds images: folders of classes belong below train/ and test/"), std::string::npos)
      << error();
  WriteFile(folder + "/data_batch_1", "");
  EXPECT_NE(error().find("'data_batch_1' is of CIFAR's Python version: unpack its binary version instead"),
            std::string::npos)
      << error();
}

TEST(OpenExamples, SaysWhereTheRowsLie) {
  const std::string idx = IdxFolder("open_origin_idx"), cifar = Cifar10Folder("open_origin_10");
  const auto origin = [](const std::string& data, const ExampleShape& shape) {
    return (*OpenExamples(data, Split::kTest, shape))->origin();
  };
  EXPECT_EQ(origin(idx, kShape), "2 images in '" + idx + "/t10k-images-idx3-ubyte.gz'");
  EXPECT_EQ(origin("moving:" + idx, {.frames = 2, .height = 32, .width = 32}),
            "clips drawn from 2 images in '" + idx + "/t10k-images-idx3-ubyte.gz'");
  EXPECT_EQ(origin(cifar, kShape), "1 images in '" + cifar + "/test_batch.bin'");
}

TEST(OpenExamples, FindsCifarInTheFoldersOfItsArchives) {
  Cifar10Folder("open_archives/cifar-10-batches-bin");
  EXPECT_EQ((*OpenExamples(testing::TempDir() + "/open_archives", Split::kTrain, kShape))->count(), 10);
  FreshFolder("open_archives");
  Cifar100Folder("open_archives/cifar-100-binary");
  EXPECT_EQ((*OpenExamples(testing::TempDir() + "/open_archives", Split::kTrain, kShape))->label(0), 0x46);
}

TEST(OpenExamples, TakesTheKindThatIsSaid) {
  const std::string folder = IdxFolder("open_said");
  EXPECT_EQ((*OpenExamples("idx:" + folder, Split::kTrain, kShape))->label(0), 3);
  EXPECT_EQ(OpenExamples("cifar10:" + folder, Split::kTrain, kShape).status().message(),
            "cannot open '" + folder + "/data_batch_1.bin'");
  const auto moving = OpenExamples("moving:" + folder, Split::kTrain, {.frames = 4, .height = 32, .width = 32});
  ASSERT_TRUE(moving.ok()) << moving.status();
  EXPECT_EQ((*moving)->shape().frames, 4);
  EXPECT_EQ(OpenExamples(folder, Split::kTrain, {.frames = 4, .height = 32, .width = 32}).status().message(),
            "still images for a network of 4 frames");
}

TEST(OpenExamples, SaysWhatItLookedFor) {
  const std::string folder = FreshFolder("open_empty");
  const absl::Status status = OpenExamples(folder, Split::kTest, kShape).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  for (const char* part : {"'", "t10k-images-idx3-ubyte[.gz]", "test_batch.bin", "test.bin", "cifar-10-batches-bin",
                           "raw/", "test/<class>/*.png", "It holds the folders nothing and the files nothing"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status;
  }
  EXPECT_EQ(OpenExamples(folder + "/none", Split::kTest, kShape).status().message(),
            "there is no folder '" + folder + "/none'");
}

TEST(OpenExamples, DrawsOtherClipsForTestingThanForTraining) {
  const std::string folder = IdxFolder("open_moving");
  const auto row = [&](Split split) {
    const auto set = *OpenExamples("moving:" + folder, split, {.frames = 2, .height = 32, .width = 32});
    std::vector<uint8_t> row(set->shape().elements());
    EXPECT_TRUE(set->Read(0, row).ok());
    return row;
  };
  EXPECT_NE(row(Split::kTrain), row(Split::kTest));
}

// The promises of ExampleSet, kept by every implementation.
struct Kind {
  const char* name;
  std::function<std::unique_ptr<ExampleSet>()> open;
};

class EveryExampleSet : public testing::TestWithParam<Kind> {};

TEST_P(EveryExampleSet, FillsTheWholeRowAndReadsTheSameEveryTimeAndFromAnyThread) {
  const auto set = GetParam().open();
  ASSERT_GT(set->count(), 0);
  const auto read_all = [&](uint8_t before) {
    std::vector<uint8_t> rows(set->count() * set->shape().elements(), before);
    for (int64_t i = 0; i < set->count(); ++i) {
      const absl::Status status =
          set->Read(i, std::span(rows).subspan(i * set->shape().elements(), set->shape().elements()));
      EXPECT_TRUE(status.ok()) << status;
    }
    return rows;
  };
  const std::vector<uint8_t> expected = read_all(0);
  EXPECT_EQ(read_all(0xff), expected);
  std::vector<std::vector<uint8_t>> others(4);
  {
    std::vector<std::jthread> threads;
    for (auto& other : others) threads.emplace_back([&] { other = read_all(7); });
  }
  for (const auto& other : others) EXPECT_EQ(other, expected);
}

TEST_P(EveryExampleSet, FindsNothingToComplainOfInRowsThatCanBeRead) {
  const auto set = GetParam().open();
  for (int64_t i = 0; i < set->count(); ++i) EXPECT_TRUE(set->Check(i).ok()) << set->Check(i);
}

TEST_P(EveryExampleSet, HasLabelsBelowItsClassesAndANamePerClassIfAny) {
  const auto set = GetParam().open();
  for (int64_t i = 0; i < set->count(); ++i) {
    EXPECT_GE(set->label(i), 0);
    EXPECT_LT(set->label(i), set->classes());
  }
  const int names = static_cast<int>(set->class_names().size());
  EXPECT_TRUE(names == 0 || names == set->classes()) << names;
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, EveryExampleSet,
    testing::Values(Kind{"Idx", [] { return *OpenExamples(IdxFolder("every_idx"), Split::kTrain, kShape); }},
                    Kind{"Cifar10", [] { return *OpenExamples(Cifar10Folder("every_10"), Split::kTrain, kShape); }},
                    Kind{"Cifar100", [] { return *OpenExamples(Cifar100Folder("every_100"), Split::kTrain, kShape); }},
                    Kind{"Images", [] { return *OpenExamples(ImageFolder("every_image"), Split::kTrain, kShape); }},
                    Kind{"Clips",
                         [] {
                           return *OpenExamples("clips:" + ClipFolder("every_clip"), Split::kTrain,
                                                {.frames = 3, .height = 12, .width = 12});
                         }},
                    Kind{"Moving",
                         [] {
                           return *OpenExamples("moving:" + IdxFolder("every_moving"), Split::kTrain,
                                                {.frames = 3, .height = 24, .width = 32, .channels = 3});
                         }},
                    Kind{"Subset",
                         []() -> std::unique_ptr<ExampleSet> {
                           static const auto* const whole =
                               OpenExamples(Cifar10Folder("every_whole"), Split::kTrain, kShape)->release();
                           return std::make_unique<Subset>(*whole, std::vector<int64_t>{3, 1});
                         }}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace anybit::model
