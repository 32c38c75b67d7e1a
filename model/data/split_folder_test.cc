#include "model/data/split_folder.h"

#include <gtest/gtest.h>

#include "model/data/example_files.h"

namespace anybit::model {
namespace {

std::string PathOf(const std::string& folder, Split split) {
  const absl::StatusOr<SplitFolder> found = FindSplit(folder, split);
  return found.ok() ? found->path : std::string(found.status().message());
}

TEST(FindSplit, TakesTheUsualNamesInAnyCase) {
  const std::string folder = FreshFolder("split_test_names");
  for (const char* train : {"train", "Train", "TRAINING"}) {
    for (const char* test : {"test", "Val", "validation", "VALID", "testing"}) {
      FreshFolder("split_test_names");
      WriteFile(folder + "/" + train + "/a/1.png", "");
      WriteFile(folder + "/" + test + "/a/1.png", "");
      EXPECT_EQ(PathOf(folder, Split::kTrain), folder + "/" + train);
      EXPECT_EQ(PathOf(folder, Split::kTest), folder + "/" + test);
    }
  }
}

// ImageNet, Tiny-ImageNet and Places ship a test part without labels.
TEST(FindSplit, PassesOverATestPartWithoutClassesAndSaysSo) {
  const std::string folder = FreshFolder("split_test_flat");
  WriteFile(folder + "/train/a/1.png", "");
  WriteFile(folder + "/test/1.png", "");
  WriteFile(folder + "/val/a/1.png", "");
  EXPECT_EQ(PathOf(folder, Split::kTest), folder + "/val");
  EXPECT_EQ(FindSplit(folder, Split::kTest)->passed_over,
            "'test' has no folder of a class of the training rows, it holds '1.png'");
  WriteFile(folder + "/test/images/1.png", "");
  EXPECT_EQ(PathOf(folder, Split::kTest), folder + "/val");
  WriteFile(folder + "/test/a/1.png", "");
  EXPECT_EQ(PathOf(folder, Split::kTest), folder + "/test");
}

TEST(FindSplit, SaysWhatIsThereWhereNoPartHasClasses) {
  const std::string folder = FreshFolder("split_test_none");
  WriteFile(folder + "/train/a/1.png", "");
  EXPECT_EQ(PathOf(folder, Split::kTest),
            "'" + folder + "' has no folder test, testing, val, validation, valid; it holds 'train'");
  WriteFile(folder + "/test/1.png", "");
  WriteFile(folder + "/val/images/1.png", "");
  EXPECT_EQ(PathOf(folder, Split::kTest),
            "'" + folder +
                "' has no test rows in folders of classes: 'test' has no folder of a class of the training rows, it "
                "holds '1.png'; 'val' has no folder of a class of the training rows, it holds 'images'");
  EXPECT_EQ(FindSplit(folder, Split::kTest).status().code(), absl::StatusCode::kNotFound);
}

TEST(ListFolder, NamesAFolderThatCannotBeListed) {
  const std::string folder = FreshFolder("split_test_unlisted");
  EXPECT_EQ(ListFolder(folder + "/absent").status(),
            absl::UnavailableError("cannot list '" + folder + "/absent': No such file or directory"));
  EXPECT_TRUE(ListFolder(folder)->folders.empty());
}

TEST(FindSplit, RefusesNamesThatDifferInCaseOnly) {
  const std::string folder = FreshFolder("split_test_case");
  WriteFile(folder + "/train/a/1.png", "");
  WriteFile(folder + "/Train/a/1.png", "");
  EXPECT_EQ(PathOf(folder, Split::kTrain), "'" + folder + "' has 'Train', 'train': which one is meant cannot be told");
}

}  // namespace
}  // namespace anybit::model
