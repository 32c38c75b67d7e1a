#include "model/data/folder_examples.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "model/data/example_files.h"

namespace anybit::model {
namespace {

constexpr ExampleShape kShape{.height = 2, .width = 2};

// A grey 2x2 PNG of one value.
std::string Flat(uint8_t value) { return PngBytes({2, 2, 1, std::vector<uint8_t>(4, value)}); }

std::vector<uint8_t> Row(const ExampleSet& set, int64_t i) {
  std::vector<uint8_t> row(set.shape().elements());
  const absl::Status status = set.Read(i, row);
  EXPECT_TRUE(status.ok()) << status;
  return row;
}

TEST(ImageFolder, SortsClassesAndFilesByName) {
  const std::string folder = FreshFolder("folder_test_sorted");
  WriteFile(folder + "/train/dog/b.png", Flat(4));
  WriteFile(folder + "/train/dog/a.PNG", Flat(3));
  WriteFile(folder + "/train/cat/z.jpeg", JpegBytes({2, 2, 1, {1, 1, 1, 1}}, 100));
  WriteFile(folder + "/train/cat/2.png", Flat(2));
  const auto set = FolderExamples::OfImages(folder, Split::kTrain, kShape);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ((*set)->class_names(), (std::vector<std::string>{"cat", "dog"}));
  ASSERT_EQ((*set)->count(), 4);
  const std::vector<int> values = {2, 1, 3, 4}, labels = {0, 0, 1, 1};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Row(**set, i), std::vector<uint8_t>(4, static_cast<uint8_t>(values[i]))) << i;
    EXPECT_EQ((*set)->label(i), labels[i]) << i;
  }
}

TEST(LooseImages, AreThoseAtAnyDepthSortedByPath) {
  const std::string folder = FreshFolder("loose_images");
  WriteFile(folder + "/z.png", Flat(1));
  WriteFile(folder + "/a/deep/1.png", Flat(2));
  WriteFile(folder + "/a/0.png", Flat(3));
  WriteFile(folder + "/notes.txt", "text");
  const auto set = FolderExamples::OfLooseImages(folder, kShape);
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ((*set)->count(), 3);
  const std::vector<int> values = {3, 2, 1};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Row(**set, i), std::vector<uint8_t>(4, static_cast<uint8_t>(values[i]))) << i;
    EXPECT_EQ((*set)->label(i), 0) << i;
  }
  EXPECT_EQ((*set)->classes(), 1);
  EXPECT_TRUE((*set)->class_names().empty());
  EXPECT_TRUE(absl::StrContains((*set)->origin(), "3 images in '")) << (*set)->origin();
}

TEST(LooseImages, AreRefusedWhereThereAreNone) {
  const std::string folder = FreshFolder("no_loose_images");
  WriteFile(folder + "/notes.txt", "text");
  const absl::Status none = FolderExamples::OfLooseImages(folder, kShape).status();
  EXPECT_TRUE(absl::IsNotFound(none)) << none;
  EXPECT_TRUE(absl::StrContains(none.message(), "notes.txt")) << none;
  EXPECT_FALSE(FolderExamples::OfLooseImages(folder + "/missing", kShape).ok());
}

TEST(ImageFolder, TakesEveryFormatThatItDecodes) {
  const std::string folder = FreshFolder("folder_test_formats");
  WriteFile(folder + "/train/a/1.png", Flat(7));
  WriteFile(folder + "/train/a/2.jpg", JpegBytes({2, 2, 1, {7, 7, 7, 7}}, 100));
  WriteFile(folder + "/train/a/3.pgm", "P5 2 2 255 \7\7\7\7");
  WriteFile(folder + "/train/a/4.PGM", "P2 2 2 255 7 7 7 7");
  const auto set = FolderExamples::OfImages(folder, Split::kTrain, kShape);
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ((*set)->count(), 4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Row(**set, i), (std::vector<uint8_t>{7, 7, 7, 7})) << i;
}

TEST(ImageFolder, CountsAndNamesTheFilesThatItPassesOver) {
  const std::string folder = FreshFolder("folder_test_other");
  WriteFile(folder + "/train/a/1.png", Flat(1));
  WriteFile(folder + "/train/a/.2.png", Flat(2));
  WriteFile(folder + "/train/a/2.webp", "RIFF");
  WriteFile(folder + "/train/a/more/3.WEBP", "RIFF");
  WriteFile(folder + "/train/a/notes.txt", "text");
  WriteFile(folder + "/train/.b/1.png", Flat(1));
  WriteFile(folder + "/train/list.png", Flat(1));
  const auto set = *FolderExamples::OfImages(folder, Split::kTrain, kShape);
  EXPECT_EQ(set->count(), 1);
  EXPECT_EQ(set->classes(), 1);
  EXPECT_EQ(set->origin(), "1 images of 1 classes in '" + folder +
                               "/train'; passed over: 2 .webp (first 'a/2.webp'), 1 .png ('list.png'), 1 .txt "
                               "('a/notes.txt'), 2 hidden");
}

// Tiny-ImageNet has train/<class>/images/ and a list of boxes beside it.
TEST(ImageFolder, TakesImagesInFoldersBelowAClassAsItsImages) {
  const std::string folder = FreshFolder("folder_test_nested");
  for (const char* name : {"n1", "n2", "n3", "n4", "n5", "n6"}) {
    for (int i = 0; i < 10; ++i) {
      WriteFile(folder + "/train/" + name + "/images/" + std::to_string(i) + ".png", Flat(static_cast<uint8_t>(i)));
    }
    WriteFile(folder + "/train/" + name + "/boxes.txt", "0 0 1 1");
  }
  const auto set = FolderExamples::OfImages(folder, Split::kTrain, kShape);
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ((*set)->count(), 60);
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ((*set)->label(i), i / 10) << i;
    EXPECT_EQ(Row(**set, i)[0], i % 10) << i;
  }
  EXPECT_EQ((*set)->origin(), "60 images of 6 classes in '" + folder +
                                  "/train', 60 of them in folders below their class's; passed over: 6 .txt (first "
                                  "'n1/boxes.txt')");
}

TEST(ImageFolder, RefusesAClassOfWhichItReadsNothingAndSaysWhatItsFolderHolds) {
  const std::string folder = FreshFolder("folder_test_unseen");
  WriteFile(folder + "/train/cat/1.png", Flat(1));
  WriteFile(folder + "/train/dog/1.webp", "RIFF");
  WriteFile(folder + "/train/dog/2.bmp", "BM");
  const auto status = [&](Split split) { return FolderExamples::OfImages(folder, split, kShape).status(); };
  EXPECT_EQ(status(Split::kTrain).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status(Split::kTrain).message(),
            "class 'dog' has no example: '" + folder +
                "/train/dog' holds 1 .bmp ('dog/2.bmp'), 1 .webp ('dog/1.webp'); files that end in .png, .jpg, .jpeg "
                "or .pgm are read");
  std::filesystem::create_directories(folder + "/train/emu");
  EXPECT_TRUE(absl::EndsWith(status(Split::kTrain).message(), "are read; without example are 'dog', 'emu'"))
      << status(Split::kTrain);
  std::filesystem::remove_all(folder + "/train/dog");
  EXPECT_EQ(status(Split::kTrain).message(), "class 'emu' has no example: '" + folder +
                                                 "/train/emu' holds nothing; files that end in .png, .jpg, .jpeg or "
                                                 ".pgm are read");
}

// Rare classes may have no test image, but one that is there and not read would be missed in silence.
TEST(ImageFolder, LetsATestPartLackAClassButNotPassOverAllOfIt) {
  const std::string folder = FreshFolder("folder_test_lacking");
  for (const char* name : {"a", "b", "c"}) WriteFile(folder + "/train/" + name + "/1.png", Flat(1));
  WriteFile(folder + "/test/b/1.png", Flat(1));
  std::filesystem::create_directories(folder + "/test/c");
  EXPECT_EQ((*FolderExamples::OfImages(folder, Split::kTest, kShape))->origin(),
            "1 images of 1 classes in '" + folder + "/test'; none of class 'a', 'c'");
  WriteFile(folder + "/test/c/1.gif", "GIF89a");
  EXPECT_TRUE(absl::StartsWith(FolderExamples::OfImages(folder, Split::kTest, kShape).status().message(),
                               "class 'c' has no example: '" + folder + "/test/c' holds 1 .gif"));
}

TEST(ImageFolder, FollowsLinksButNotRoundAndRound) {
  const std::string folder = FreshFolder("folder_test_links");
  WriteFile(folder + "/elsewhere/1.png", Flat(7));
  std::filesystem::create_directories(folder + "/train");
  std::filesystem::create_directory_symlink(folder + "/elsewhere", folder + "/train/a");
  EXPECT_EQ(Row(**FolderExamples::OfImages(folder, Split::kTrain, kShape), 0)[0], 7);
  std::filesystem::create_directory_symlink(folder + "/elsewhere", folder + "/elsewhere/again");
  const absl::Status status = FolderExamples::OfImages(folder, Split::kTrain, kShape).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), "/train/a/again' leads back to '")) << status;
}

TEST(ImageFolder, NumbersTheClassesOfTheTestPartAsTraining) {
  const std::string folder = FreshFolder("folder_test_labels");
  for (const char* name : {"a", "b", "c"}) WriteFile(folder + "/train/" + name + "/1.png", Flat(1));
  WriteFile(folder + "/val/c/1.png", Flat(1));
  const auto validation = *FolderExamples::OfImages(folder, Split::kTest, kShape);
  EXPECT_EQ(validation->label(0), 2);
  EXPECT_EQ(validation->classes(), 3);
  WriteFile(folder + "/test/b/1.png", Flat(1));
  EXPECT_EQ((*FolderExamples::OfImages(folder, Split::kTest, kShape))->label(0), 1) << "test/ goes before val/";
  WriteFile(folder + "/test/d/1.png", Flat(1));
  EXPECT_EQ(FolderExamples::OfImages(folder, Split::kTest, kShape).status().message(),
            "'" + folder + "/test/d' is of no class of the training rows: 'a', 'b', 'c'");
}

TEST(ImageFolder, ScalesAndConvertsToTheShape) {
  const std::string folder = FreshFolder("folder_test_shape");
  WriteFile(folder + "/train/a/1.png", PngBytes(Gradient(10, 20, 3)));
  const auto set = *FolderExamples::OfImages(folder, Split::kTrain, {.height = 4, .width = 6, .channels = 1});
  std::vector<uint8_t> expected(24);
  ScaleToCover(WithChannels(Gradient(10, 20, 3), 1), 4, 6, expected);
  EXPECT_EQ(Row(*set, 0), expected);
}

TEST(ImageFolder, SaysWhatItLookedFor) {
  const std::string folder = FreshFolder("folder_test_missing");
  const auto error = [&](Split split, const ExampleShape& shape) {
    return std::string(FolderExamples::OfImages(folder, split, shape).status().message());
  };
  WriteFile(folder + "/images/1.png", Flat(1));
  EXPECT_EQ(error(Split::kTrain, kShape), "'" + folder + "' has no folder train, training; it holds 'images'");
  WriteFile(folder + "/train/1.png", Flat(1));
  EXPECT_EQ(error(Split::kTrain, kShape), "'" + folder +
                                              "' has no training rows in folders of classes: 'train' has no folder of "
                                              "a class, it holds '1.png'");
  EXPECT_EQ(error(Split::kTrain, {.frames = 2, .height = 2, .width = 2}), "still images for a network of 2 frames");
}

TEST(ImageFolder, GivesTheValuesThatTheClientSends) {
  const std::string folder = FreshFolder("folder_test_values");
  const Image red{2, 2, 3, {200, 30, 30, 200, 30, 30, 200, 30, 30, 200, 30, 30}};
  WriteFile(folder + "/train/a/1.png", PngBytes(red));
  // Dark above light, stored lying on its side.
  const Image lying{2, 2, 1, {10, 250, 10, 250}};
  WriteFile(folder + "/train/a/2.png", WithPngChunk(PngBytes(lying), "eXIf", ExifOfOrientation(6)));
  const auto set = *FolderExamples::OfImages(folder, Split::kTrain, kShape);
  std::vector<uint8_t> row(4);
  ASSERT_TRUE(set->Read(0, row).ok());
  EXPECT_EQ(row, (std::vector<uint8_t>{81, 81, 81, 81}));
  ASSERT_TRUE(set->Read(1, row).ok());
  EXPECT_EQ(row, (std::vector<uint8_t>{10, 10, 250, 250}));
}

TEST(ImageFolder, RefusesAClassThatIsNotNamedInUtf8) {
  const std::string folder = FreshFolder("folder_test_utf8");
  WriteFile(folder + "/train/caf\xc3\xa9/1.png", Flat(1));
  EXPECT_TRUE(FolderExamples::OfImages(folder, Split::kTrain, kShape).ok());
  WriteFile(folder + "/train/caf\xe9/1.png", Flat(1));
  EXPECT_EQ(FolderExamples::OfImages(folder, Split::kTrain, kShape).status(),
            absl::InvalidArgumentError("class folder '" + folder + "/train/caf\\xe9' is not named in valid UTF-8"));
}

TEST(ImageFolder, NamesADamagedFileWhenItIsRead) {
  const std::string folder = FreshFolder("folder_test_damaged");
  const std::string path = WriteFile(folder + "/train/a/1.png", Flat(1).substr(0, 30));
  const auto set = *FolderExamples::OfImages(folder, Split::kTrain, kShape);
  std::vector<uint8_t> row(4);
  const absl::Status status = set->Read(0, row);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "'" + path + "': PNG: the file ends too early");
}

TEST(ClipFolder, TakesTheMiddlesOfEqualPartsOfAClip) {
  const std::string folder = FreshFolder("folder_test_clips");
  for (int i = 0; i < 10; ++i) {
    WriteFile(folder + "/train/jump/long/" + std::to_string(i) + ".png", Flat(static_cast<uint8_t>(i)));
  }
  for (int i = 0; i < 2; ++i) {
    WriteFile(folder + "/train/jump/short/" + std::to_string(i) + ".png", Flat(static_cast<uint8_t>(i)));
  }
  const auto firsts = [&](int64_t frames) {
    const auto set = *FolderExamples::OfClips(folder, Split::kTrain, {.frames = frames, .height = 2, .width = 2});
    EXPECT_EQ(set->count(), 2);
    std::vector<std::vector<int>> values(2);
    for (int clip = 0; clip < 2; ++clip) {
      const std::vector<uint8_t> row = Row(*set, clip);
      for (int64_t f = 0; f < frames; ++f) values[clip].push_back(row[f * 4 + 3]);
    }
    return values;
  };
  EXPECT_EQ(firsts(5), (std::vector<std::vector<int>>{{1, 3, 5, 7, 9}, {0, 0, 1, 1, 1}}));
  EXPECT_EQ(firsts(1), (std::vector<std::vector<int>>{{5}, {1}}));
  EXPECT_EQ(firsts(10)[0], (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(ClipFolder, RefusesAClassWithoutClips) {
  const std::string folder = FreshFolder("folder_test_no_clip");
  WriteFile(folder + "/train/jump/1/1.png", Flat(1));
  WriteFile(folder + "/train/run/1.png", Flat(1));
  EXPECT_EQ(FolderExamples::OfClips(folder, Split::kTrain, kShape).status().message(),
            "class 'run' has no example: '" + folder +
                "/train/run' holds 1 .png ('run/1.png'); clips, which are folders of .png, .jpg, .jpeg or .pgm files, "
                "are read");
}

TEST(ClipFolder, RefusesAClipWithoutFrames) {
  const std::string folder = FreshFolder("folder_test_empty_clip");
  WriteFile(folder + "/train/jump/1/notes.txt", "text");
  EXPECT_EQ(FolderExamples::OfClips(folder, Split::kTrain, kShape).status().message(),
            "clip '" + folder + "/train/jump/1' has no .png, .jpg, .jpeg or .pgm file");
}

}  // namespace
}  // namespace anybit::model
