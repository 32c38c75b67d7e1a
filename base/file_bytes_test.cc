#include "base/file_bytes.h"

#include <zlib.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace anybit {
namespace {

class ReadFileBytesTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_;
  }

  std::string WriteGzipped(const std::string& bytes) {
    gzFile file = gzopen(path_.c_str(), "wb");
    EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
    EXPECT_EQ(gzclose(file), Z_OK);
    return path_;
  }

  const std::string path_ = testing::TempDir() + "/" + testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(ReadFileBytesTest, GivesPlainAndGzippedFilesTheSame) {
  const std::string bytes = "to be read";
  const std::vector<uint8_t> expected(bytes.begin(), bytes.end());
  EXPECT_EQ(ReadFileBytes(Write(bytes), 10).value(), expected);
  EXPECT_EQ(ReadFileBytes(WriteGzipped(bytes), 10).value(), expected);
}

TEST_F(ReadFileBytesTest, NamesFileAndLimitWhereTheContentIsLarger) {
  const std::string message = "'" + path_ + "' has more than 1000 bytes";
  EXPECT_EQ(ReadFileBytes(Write(std::string(1001, 'x')), 1000).status(), absl::DataLossError(message));
  EXPECT_EQ(ReadFileBytes(WriteGzipped(std::string(1 << 20, 'x')), 1000).status(), absl::DataLossError(message));
}

TEST_F(ReadFileBytesTest, SaysThatAGzippedFileEndsEarlyOrIsDamaged) {
  const std::string path = WriteGzipped(std::string(1000, 'x'));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 9);
  const absl::Status cut = ReadFileBytes(path, 1000).status();
  EXPECT_EQ(cut.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(cut.message().find("'" + path + "' is damaged or no file: "), 0u) << cut;
}

TEST_F(ReadFileBytesTest, TellsAMissingFileFromAFolder) {
  EXPECT_EQ(ReadFileBytes(path_, 1).status(), absl::NotFoundError("cannot open '" + path_ + "'"));
  const absl::Status folder = ReadFileBytes(testing::TempDir(), 1).status();
  EXPECT_EQ(folder.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(folder.message().find("is damaged or no file"), std::string::npos) << folder;
}

}  // namespace
}  // namespace anybit
