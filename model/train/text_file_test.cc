#include "model/train/text_file.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace anybit {
namespace {

std::string Fresh(const std::string& name) {
  const std::string path = testing::TempDir() + "/text_file_test_" + name;
  std::filesystem::remove_all(path);
  return path;
}

TEST(TextFile, ReadsBackWhatWasWrittenAndLeavesNothingElse) {
  const std::string folder = Fresh("folder");
  std::filesystem::create_directory(folder);
  for (const std::string& text : {std::string("one\ntwo\0three", 13), std::string()}) {
    ASSERT_TRUE(WriteTextFile(folder + "/file", text).ok());
    EXPECT_EQ(*ReadTextFile(folder + "/file"), text);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST(TextFile, SaysWhatCannotBeReadOrWritten) {
  const std::string absent = Fresh("absent");
  EXPECT_EQ(ReadTextFile(absent).status(),
            absl::NotFoundError("cannot open '" + absent + "': No such file or directory"));
  EXPECT_EQ(WriteTextFile(absent + "/file", "x"),
            absl::UnavailableError("cannot write '" + absent + "/file': No such file or directory"));
  const std::string folder = Fresh("folder");
  std::filesystem::create_directory(folder);
  EXPECT_EQ(ReadTextFile(folder).status(), absl::UnavailableError("cannot read '" + folder + "'"));
  EXPECT_EQ(WriteTextFile(folder, "x"), absl::UnavailableError("cannot write '" + folder + "': Is a directory"));
  EXPECT_FALSE(std::filesystem::exists(folder + ".partial"));
}

TEST(CheckWritable, KnowsBeforehandAndLeavesNothing) {
  const std::string file = Fresh("file");
  EXPECT_TRUE(CheckWritable(file).ok());
  EXPECT_FALSE(std::filesystem::exists(file + ".partial"));
  const std::string folder = Fresh("folder");
  EXPECT_EQ(CheckWritable(folder + "/").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckWritable(folder + "/file").code(), absl::StatusCode::kUnavailable);
  std::filesystem::create_directory(folder);
  EXPECT_EQ(CheckWritable(folder), absl::InvalidArgumentError("'" + folder + "' is a folder, not a file to write"));
}

}  // namespace
}  // namespace anybit
