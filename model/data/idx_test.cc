#include "model/data/idx.h"

#include <gtest/gtest.h>

#include "model/data/example_files.h"

namespace anybit::model {
namespace {

std::string Header(int dimensions, std::vector<int> shape) {
  std::string bytes = {0, 0, 8, static_cast<char>(dimensions)};
  for (int extent : shape) bytes += {0, 0, 0, static_cast<char>(extent)};
  return bytes;
}

std::string Temporary(const std::string& name, const std::string& bytes) {
  return WriteFile(testing::TempDir() + "/idx_test/" + name, bytes);
}

std::vector<uint8_t> Vector(std::span<const uint8_t> values) { return {values.begin(), values.end()}; }

TEST(ReadIdx, GivesImagesAndLabelsAsTheyStand) {
  const std::string images = Temporary("images", Gzipped(Header(3, {2, 1, 2}) + "\x01\x02\x03\x04"));
  const std::string labels = Temporary("labels", Header(1, {2}) + "\x07\x09");
  const MemoryExamples set = *ReadIdx(images, labels);
  EXPECT_EQ(set.shape(), (ExampleShape{.height = 1, .width = 2}));
  EXPECT_EQ(set.count(), 2);
  EXPECT_EQ(set.label(0), 7);
  EXPECT_EQ(set.label(1), 9);
  EXPECT_EQ(Vector(set.rows(1, 1)), (std::vector<uint8_t>{3, 4}));
}

TEST(ReadIdx, NamesWhatDoesNotFit) {
  const std::string images = Temporary("good_images", Header(3, {1, 2, 2}) + "abcd");
  const std::string labels = Temporary("good_labels", Header(1, {1}) + "\x01");
  const auto error = [&](const std::string& i, const std::string& l) {
    return std::string(ReadIdx(i, l).status().message());
  };
  EXPECT_EQ(error(images, labels), "");
  const std::string two = Temporary("two", Header(1, {2}) + "ab");
  EXPECT_EQ(error(images, two), "'" + two + "' has 2 labels for 1 images of '" + images + "'");
  const std::string long_one = Temporary("long", Header(3, {1, 2, 2}) + "abcde");
  EXPECT_EQ(error(long_one, labels), "'" + long_one + "': IDX file promises 4 bytes of data and holds 5");
  const std::string huge = Temporary("huge", std::string("\0\0\x08\x03", 4) + std::string(12, '\xff'));
  EXPECT_NE(error(huge, labels).find("IDX dimension 0 is 4294967295"), std::string::npos);
  EXPECT_EQ(error(labels, labels), "'" + labels + "': IDX file has 1 dimensions, expected 3");
  const std::string none = Temporary("none", Header(3, {0, 2, 2}));
  EXPECT_NE(error(none, labels).find("'" + none + "': IDX dimension 0 is 0"), std::string::npos);
  const absl::Status missing = ReadIdx(testing::TempDir() + "/idx_test/missing", labels).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find("cannot open"), std::string::npos);
}

TEST(ReadIdx, NoticesEveryTruncation) {
  const std::string labels = Temporary("labels1", Header(1, {1}) + "\x01");
  const std::string plain = Header(3, {1, 2, 2}) + "abcd";
  for (const std::string& whole : {plain, Gzipped(plain)}) {
    ASSERT_TRUE(ReadIdx(Temporary("cut", whole), labels).ok());
    for (size_t size = 0; size < whole.size(); ++size) {
      const std::string path = Temporary("cut", whole.substr(0, size));
      const absl::Status status = ReadIdx(path, labels).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << size << " of " << whole.size();
      EXPECT_NE(status.message().find(path), std::string::npos) << status;
    }
  }
}

TEST(ReadIdxFolder, FindsPlainAndZippedFiles) {
  const std::string folder = FreshFolder("idx_test_folder");
  WriteFile(folder + "/t10k-images-idx3-ubyte.gz", Gzipped(Header(3, {1, 1, 1}) + "x"));
  WriteFile(folder + "/t10k-labels-idx1-ubyte", Header(1, {1}) + "\x02");
  EXPECT_EQ(ReadIdxFolder(folder, Split::kTest)->label(0), 2);
  EXPECT_EQ(ReadIdxFolder(folder, Split::kTrain).status().code(), absl::StatusCode::kNotFound);
}

// An image and a label of that value.
void WritePart(const std::string& images, const std::string& labels, char value) {
  WriteFile(images, Header(3, {1, 1, 1}) + value);
  WriteFile(labels, Header(1, {1}) + value);
}

TEST(ReadIdxFolder, FindsTheNamesThatPublishersAndToolsGive) {
  const std::string folder = FreshFolder("idx_test_names");
  const auto label_of = [&](const std::string& data, Split split) {
    const auto set = ReadIdxFolder(data, split);
    return set.ok() ? std::to_string(set->label(0)) : std::string(set.status().message());
  };
  WritePart(folder + "/dots/train-images.idx3-ubyte", folder + "/dots/train-labels.idx1-ubyte", 1);
  WritePart(folder + "/dots/T10K-images.idx3-ubyte", folder + "/dots/t10k-labels-idx1-ubyte", 2);
  EXPECT_EQ(label_of(folder + "/dots", Split::kTrain), "1");
  EXPECT_EQ(label_of(folder + "/dots", Split::kTest), "2");
  WriteFile(folder + "/emnist/emnist-letters-train-images-idx3-ubyte.gz", Gzipped(Header(3, {1, 1, 1}) + "x"));
  WriteFile(folder + "/emnist/emnist-letters-train-labels-idx1-ubyte.gz", Gzipped(Header(1, {1}) + "\x03"));
  WritePart(folder + "/emnist/emnist-letters-test-images-idx3-ubyte",
            folder + "/emnist/emnist-letters-test-labels-idx1-ubyte", 4);
  EXPECT_EQ(label_of(folder + "/emnist", Split::kTrain), "3");
  EXPECT_EQ(label_of(folder + "/emnist", Split::kTest), "4");
  // torchvision's root, and its folder of the one set.
  WritePart(folder + "/root/FashionMNIST/raw/train-images-idx3-ubyte",
            folder + "/root/FashionMNIST/raw/train-labels-idx1-ubyte", 5);
  EXPECT_EQ(label_of(folder + "/root", Split::kTrain), "5");
  EXPECT_EQ(label_of(folder + "/root/FashionMNIST", Split::kTrain), "5");
  EXPECT_EQ(ReadIdxFolder(folder + "/root", Split::kTrain)->origin(),
            "1 images in '" + folder + "/root/FashionMNIST/raw/train-images-idx3-ubyte'");
}

TEST(ReadIdxFolder, AsksWhichOfSeveralSetsIsMeantAndTakesItsName) {
  const std::string folder = FreshFolder("idx_test_sets");
  for (const char* set : {"emnist-digits", "emnist-letters"}) {
    WritePart(folder + "/" + set + "-train-images-idx3-ubyte", folder + "/" + set + "-train-labels-idx1-ubyte", set[7]);
  }
  const absl::Status status = ReadIdxFolder(folder, Split::kTrain).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "'" + folder + "' holds IDX files of 2 sets; name one of '" + folder +
                                  "/emnist-digits', '" + folder + "/emnist-letters'");
  EXPECT_EQ(ReadIdxFolder(folder + "/emnist-letters", Split::kTrain)->label(0), 'l');
  WritePart(folder + "/train-images-idx3-ubyte", folder + "/train-labels-idx1-ubyte", 6);
  EXPECT_EQ(ReadIdxFolder(folder, Split::kTrain)->label(0), 6) << "the set without a name is the folder's own";
}

TEST(ReadIdxFolder, NamesWhatIsThereAndLacksItsCounterpart) {
  const std::string folder = FreshFolder("idx_test_half");
  WriteFile(folder + "/train-images.idx3-ubyte", Header(3, {1, 1, 1}) + "x");
  EXPECT_EQ(ReadIdxFolder(folder, Split::kTrain).status(),
            absl::NotFoundError("'" + folder + "' has 'train-images.idx3-ubyte' and no train-labels-idx1-ubyte[.gz]"));
  EXPECT_EQ(ReadIdxFolder(folder, Split::kTest).status(),
            absl::NotFoundError("'" + folder + "' has 'train-images.idx3-ubyte' and no t10k-images-idx3-ubyte[.gz]"));
}

}  // namespace
}  // namespace anybit::model
