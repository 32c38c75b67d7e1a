#include "server/load_parameters.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"

namespace anybit::server {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

inference::RepositoryModelLoadRequest With(const std::string& name, const std::string& value) {
  inference::RepositoryModelLoadRequest request;
  (*request.mutable_parameters())[name].set_string_param(value);
  return request;
}
inference::RepositoryModelLoadRequest With(const std::string& name, int64_t value) {
  inference::RepositoryModelLoadRequest request;
  (*request.mutable_parameters())[name].set_int64_param(value);
  return request;
}

TEST(LoadParametersTest, WithoutParametersTheServedArtifactBecomesTheStableVersion) {
  const auto wanted = ReadLoadParameters({});
  ASSERT_TRUE(wanted.ok());
  EXPECT_EQ(wanted->file, "");
  EXPECT_FALSE(wanted->is_canary);
}

TEST(LoadParametersTest, ACanaryHasAShare) {
  auto request = With("label", "canary");
  EXPECT_EQ(ReadLoadParameters(request)->share_bp, kDefaultCanaryShareBp);
  (*request.mutable_parameters())["share_bp"].set_int64_param(2500);
  EXPECT_EQ(ReadLoadParameters(request)->share_bp, 2500);
  EXPECT_TRUE(ReadLoadParameters(request)->is_canary);
}

TEST(LoadParametersTest, WrongParametersAreNamed) {
  for (const auto& [request, part] :
       {std::pair(With("label", "beta"), "invalid value for 'label': 'beta', expected 'stable' or 'canary'."),
        {With("label", 1), "invalid value type for 'label' parameter, expected string_param."},
        {With("artifact", 1), "invalid value type for 'artifact'"},
        {With("share_bp", 100), "'share_bp' is for the label 'canary'"},
        {With("share_bp", 0), "invalid value for 'share_bp': 0, expected 1 to 10000."},
        {With("config", "{}"), "parameter 'config' is not offered"},
        {With("file:1/model.onnx", "x"), "is not offered"},
        {With("colour", "red"), "unknown parameter 'colour', known: artifact, label, share_bp"}}) {
    const absl::Status status = ReadLoadParameters(request).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << part;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
}

TEST(LoadParametersTest, AnUnloadMayBeOfTheCanaryOnly) {
  inference::RepositoryModelUnloadRequest request;
  (*request.mutable_parameters())["unload_dependents"].set_bool_param(true);
  EXPECT_FALSE(*ReadUnloadsCanaryOnly(request));
  (*request.mutable_parameters())["label"].set_string_param("canary");
  EXPECT_TRUE(*ReadUnloadsCanaryOnly(request));
  (*request.mutable_parameters())["colour"].set_string_param("red");
  EXPECT_TRUE(absl::IsInvalidArgument(ReadUnloadsCanaryOnly(request).status()));
}

class FindArtifactTest : public ::testing::Test {
 protected:
  FindArtifactTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "models");
    for (const char* file : {"secret", "models/one", "models/two"}) std::ofstream(folder_ / file) << "x";
    fs::create_symlink("two", folder_ / "models/inside");
    fs::create_symlink("../secret", folder_ / "models/outside");
    fs::create_symlink("models/one", folder_ / "link");
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / "find_artifact";
  const std::string artifact_ = folder_ / "models/one";
};

TEST_F(FindArtifactTest, AFileBesideTheServedOneIsFoundByItsName) {
  EXPECT_THAT(FindArtifact(artifact_, "")->c_str(), EndsWith("/models/one"));
  EXPECT_THAT(FindArtifact(artifact_, "two")->c_str(), EndsWith("/models/two"));
  EXPECT_THAT(FindArtifact(artifact_, "inside")->c_str(), EndsWith("/models/two"));
  EXPECT_TRUE(FindArtifact(folder_ / "link", "").ok()) << "the operator's own link may lead anywhere";
}

TEST_F(FindArtifactTest, NoNameLeadsOutOfTheFolder) {
  for (const std::string& name : {std::string("../secret"), std::string("/etc/passwd"), std::string(".."),
                                  std::string("outside"), std::string("two\0x", 5)}) {
    EXPECT_TRUE(absl::IsInvalidArgument(FindArtifact(artifact_, name).status())) << name;
  }
}

TEST_F(FindArtifactTest, AMissingFileIsNotFoundAndTheFolderIsNotTold) {
  const absl::Status status = FindArtifact(artifact_, "three").status();
  EXPECT_EQ(status, absl::NotFoundError("there is no artifact 'three'"));
  EXPECT_TRUE(absl::IsNotFound(FindArtifact(artifact_, ".").status()));
  EXPECT_TRUE(absl::IsNotFound(FindArtifact("/nowhere/one", "").status()));
}

}  // namespace
}  // namespace anybit::server
