#include "base/file.h"

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace anybit {
namespace {

std::string Fresh(const std::string& name) {
  std::string path = testing::TempDir() + "/text_file_test_" + name;
  std::filesystem::remove_all(path);
  return path;
}

TEST(ReplaceFile, LeavesWhatWasWrittenAndNothingElse) {
  const std::string folder = Fresh("folder");
  std::filesystem::create_directory(folder);
  for (const std::string& text : {std::string("one\ntwo\0three", 13), std::string()}) {
    ASSERT_TRUE(ReplaceFile(folder + "/file", text).ok());
    EXPECT_EQ(*ReadFile(folder + "/file"), text);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST(ReplaceFile, SaysWhatCannotBeReadOrWritten) {
  const std::string absent = Fresh("absent");
  EXPECT_EQ(ReadFile(absent).status(), absl::NotFoundError("cannot open '" + absent + "': No such file or directory"));
  EXPECT_EQ(ReplaceFile(absent + "/file", "x"),
            absl::UnavailableError("cannot write '" + absent + "/file': No such file or directory"));
  const std::string folder = Fresh("folder");
  std::filesystem::create_directory(folder);
  EXPECT_EQ(ReadFile(folder).status(), absl::UnavailableError("cannot read '" + folder + "': Is a directory"));
  EXPECT_EQ(ReplaceFile(folder, "x"), absl::UnavailableError("cannot write '" + folder + "': Is a directory"));
  EXPECT_FALSE(std::filesystem::exists(folder + ".partial"));
}

TEST(CheckReplaceable, KnowsBeforehandAndLeavesNothing) {
  const std::string file = Fresh("file");
  EXPECT_TRUE(CheckReplaceable(file).ok());
  EXPECT_FALSE(std::filesystem::exists(file + ".partial"));
  const std::string folder = Fresh("folder");
  EXPECT_EQ(CheckReplaceable(folder + "/").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckReplaceable(folder + "/file").code(), absl::StatusCode::kUnavailable);
  std::filesystem::create_directory(folder);
  EXPECT_EQ(CheckReplaceable(folder), absl::InvalidArgumentError("'" + folder + "' is a folder, not a file to write"));
}

TEST(ReadFile, RefusesMoreThanTheLimit) {
  const std::string path = Fresh("limited");
  ASSERT_TRUE(ReplaceFile(path, "12345").ok());
  EXPECT_EQ(*ReadFile(path, 5), "12345");
  EXPECT_EQ(ReadFile(path, 4).status(), absl::InvalidArgumentError("'" + path + "' of 5 bytes exceeds 4"));
}

TEST(ReadFile, ReadsFilesThatDoNotTellTheirSize) {
  const absl::StatusOr<std::string> status = ReadFile("/proc/self/status");
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->rfind("Name:", 0), 0u);
  EXPECT_EQ(ReadFile("/proc/self/status", 10).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReplaceFile, ReplacesALeftoverOfAKilledWriter) {
  const std::string path = Fresh("killed");
  std::ofstream(path + ".partial") << "much longer than the new contents";
  ASSERT_TRUE(ReplaceFile(path, "new", Flush::kYes).ok());
  EXPECT_EQ(*ReadFile(path), "new");
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST(ReplaceFile, KeepsTheOldFileWhereTheNewOneCannotBeWritten) {
  const std::string path = Fresh("kept");
  ASSERT_TRUE(ReplaceFile(path, "old").ok());
  std::filesystem::create_directory(path + ".partial");
  EXPECT_EQ(ReplaceFile(path, "new").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(*ReadFile(path), "old");
  std::filesystem::remove(path + ".partial");
}

TEST(ReplaceFile, GivesEachOfManyWritersAWholeFile) {
  const std::string path = Fresh("contested");
  std::vector<std::thread> writers;
  std::atomic<int> failures = 0;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    writers.emplace_back([&, letter] {
      for (int i = 0; i < 50; ++i) failures += !ReplaceFile(path, std::string(10'000, letter)).ok();
      failures += !CheckReplaceable(path).ok();
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failures, 0);
  const std::string last = *ReadFile(path);
  EXPECT_EQ(last, std::string(10'000, last.front()));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST(ReplaceFile, WritesIntoAPipeInsteadOfReplacingIt) {
  const std::string path = Fresh("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = *ReadFile(path); });
  EXPECT_TRUE(ReplaceFile(path, "through").ok());
  reader.join();
  EXPECT_EQ(read, "through");
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  EXPECT_TRUE(CheckReplaceable(path).ok());
}

}  // namespace
}  // namespace anybit
