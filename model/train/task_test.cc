// Architectures and examples that are brought together, or refused with what would help.
#include "model/train/task.h"

#include <sstream>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/data/example_files.h"

namespace anybit::model::train {
namespace {

// CIFAR-10 of one image per file, with names.
std::string CifarFolder() {
  const std::string folder = FreshFolder("task_test_cifar10");
  const std::string record = std::string(1, '\x03') + std::string(3072, '\x40');
  for (const char* name :
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"}) {
    WriteFile(folder + "/" + name + ".bin", record);
  }
  std::string names;
  for (char c = 'a'; c < 'k'; ++c) names += std::string(1, c) + "\n";
  WriteFile(folder + "/batches.meta.txt", names);
  return folder;
}

// CIFAR-100 of one image per file, of the highest class.
std::string Cifar100Folder() {
  const std::string folder = FreshFolder("task_test_cifar100");
  const std::string record = std::string("\x13\x63", 2) + std::string(3072, '\x40');
  WriteFile(folder + "/train.bin", record);
  WriteFile(folder + "/test.bin", record);
  return folder;
}

// Two grey images of 28x28, of classes 0 and 9.
std::string IdxFolder(const char* name) {
  const std::string folder = FreshFolder(name);
  const std::string images("\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", 16),
      labels("\0\0\x08\x01\0\0\0\x02\0\x09", 10);
  for (const char* split : {"train", "t10k"}) {
    WriteFile(absl::StrCat(folder, "/", split, "-images-idx3-ubyte"), images + std::string(2 * 28 * 28, '\x40'));
    WriteFile(absl::StrCat(folder, "/", split, "-labels-idx1-ubyte"), labels);
  }
  return folder;
}

TEST(OpenTask, GivesTheNetworkTheExamplesNames) {
  const absl::StatusOr<Task> task = OpenTask("resnet20:width=0.25", CifarFolder());
  ASSERT_TRUE(task.ok()) << task.status();
  EXPECT_EQ(task->architecture, "resnet20:width=0.25");
  ASSERT_EQ(task->spec.labels_size(), 10);
  EXPECT_EQ(task->spec.labels(3), "d");
  EXPECT_EQ(task->training->count(), 5);
  EXPECT_EQ(task->test->count(), 1);
}

TEST(OpenTask, KeepsAnArchitecturesOwnLabelsForTheDataTheyAreOfOnly) {
  const std::string digits = IdxFolder("task_test_digits"), clothes = IdxFolder("task_test_fashion-mnist");
  EXPECT_EQ(OpenTask("fashion_tiny", clothes)->spec.labels(9), "Ankle boot");
  EXPECT_EQ(OpenTask("fashion_tiny", digits)->spec.labels_size(), 0);
  const absl::StatusOr<Task> pictures = OpenTask("fashion_tiny", CifarFolder());
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_EQ(pictures->spec.labels(9), "j");
}

TEST(OpenTask, MakesAsManyClassesAsTheExamplesHaveUnlessTold) {
  const std::string folder = Cifar100Folder();
  EXPECT_EQ(OpenTask("resnet20", folder)->architecture, "resnet20:classes=100");
  EXPECT_EQ(OpenTask("resnet20:width=0.25", folder)->architecture, "resnet20:width=0.25,classes=100");
  EXPECT_EQ(OpenTask("resnet20:classes=128", folder)->architecture, "resnet20:classes=128");
  EXPECT_EQ(OpenTask("resnet20:classes=10", folder).status().message(),
            "'" + folder + "' has 100 classes, architecture 'resnet20:classes=10' 10");
}

TEST(OpenTask, NamesTheOptionsThatOtherRowsNeed) {
  const absl::Status status = OpenTask("resnet20:side=28", CifarFolder()).status();
  EXPECT_EQ(status.message(),
            "images of 32x32 do not fit 28x28 (architecture 'resnet20:side=28' takes options for other rows, as in "
            "NAME:side=28,channels=1,frames=8)");
  EXPECT_EQ(OpenTask("resnet19", CifarFolder()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(OpenTask("resnet20", "/no/such/folder").status().message(), "there is no folder '/no/such/folder'");
}

TEST(OpenTask, NeedsNoTestRowsWhereTheyAreUnused) {
  const std::string folder = FreshFolder("task_test_untested");
  for (const char* name : {"a", "b"}) WriteFile(folder + "/Train/" + name + "/1.png", PngBytes(Gradient(32, 32, 1)));
  EXPECT_EQ(OpenTask("fashion_tiny", folder).status().code(), absl::StatusCode::kNotFound);
  const absl::StatusOr<Task> task = OpenTask("fashion_tiny", folder, TestRows::kUnused);
  ASSERT_TRUE(task.ok()) << task.status();
  EXPECT_EQ(task->training->count(), 2);
  EXPECT_EQ(task->test, nullptr);
}

TEST(DropDamaged, TakesFromALimitOfAllSplitsAndNamesWhatItLeavesOut) {
  const std::string folder = FreshFolder("task_test_damaged");
  for (const char* split : {"train", "test"}) {
    for (const char* name : {"a/1", "b/1"}) {
      WriteFile(folder + "/" + split + "/" + name + ".png", PngBytes(Gradient(32, 32, 1)));
    }
    WriteFile(folder + "/" + split + "/a/3.png", "no image");
  }
  Task task = *OpenTask("fashion_tiny", folder);
  int64_t dropped = 0;
  std::ostringstream log;
  const absl::Status training = DropDamaged(FindDamaged(*task.training), 1, dropped, task.training, log);
  EXPECT_TRUE(training.ok()) << training;
  EXPECT_EQ(task.training->count(), 2);
  EXPECT_EQ(log.str(), "damaged, left out: '" + folder + "/train/a/3.png': not a PNG, JPEG or PGM image\n");
  const absl::Status test = DropDamaged(FindDamaged(*task.test), 1, dropped, task.test, log);
  EXPECT_EQ(test.message(), "1 example of 3 cannot be read, limit 0: '" + folder +
                                "/test/a/3.png': not a PNG, JPEG or PGM image (--max_damaged=2 leaves them out)");
}

TEST(NameOfData, IsTheLastFolderAndTheKind) {
  EXPECT_EQ(NameOfData("/data/fashion-mnist"), "fashion-mnist");
  EXPECT_EQ(NameOfData("moving:/data/fashion-mnist/"), "moving:fashion-mnist");
  EXPECT_EQ(NameOfData("images"), "images");
}

}  // namespace
}  // namespace anybit::model::train
