#include "server/rest/rest_path.h"

#include "gtest/gtest.h"

namespace anybit::server {
namespace {

RestPath Parsed(absl::string_view path) {
  const absl::StatusOr<RestPath> parsed = ParseRestPath(path);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.value_or(RestPath());
}

TEST(RestPathTest, AModelsNameAndVersionAreTakenOut) {
  EXPECT_EQ(Parsed("/v2/models/m/infer"), (RestPath{"/v2/models/*/infer", "m", ""}));
  EXPECT_EQ(Parsed("/v2/models/m/versions/3/infer"), (RestPath{"/v2/models/*/infer", "m", "3"}));
  EXPECT_EQ(Parsed("/v2/models/m"), (RestPath{"/v2/models/*", "m", ""}));
  EXPECT_EQ(Parsed("/v2/models/m/versions/3"), (RestPath{"/v2/models/*", "m", "3"}));
  EXPECT_EQ(Parsed("/v2/repository/models/m/load"), (RestPath{"/v2/repository/models/*/load", "m", ""}));
}

TEST(RestPathTest, AModelMayHaveAnyName) {
  EXPECT_EQ(Parsed("/v2/models/models/infer"), (RestPath{"/v2/models/*/infer", "models", ""}));
  EXPECT_EQ(Parsed("/v2/models/stats/infer"), (RestPath{"/v2/models/*/infer", "stats", ""}));
  EXPECT_EQ(Parsed("/v2/models/versions/versions/1"), (RestPath{"/v2/models/*", "versions", "1"}));
  EXPECT_EQ(Parsed("/v2/models/a%20b%2Fc/infer"), (RestPath{"/v2/models/*/infer", "a b/c", ""}));
}

TEST(RestPathTest, PathsWithoutAModelStayAsTheyAre) {
  EXPECT_EQ(Parsed("/v2").pattern, "/v2");
  EXPECT_EQ(Parsed("/v2/").pattern, "/v2");
  EXPECT_EQ(Parsed("/v2/health/ready").pattern, "/v2/health/ready");
  EXPECT_EQ(Parsed("/v2/models/stats"), (RestPath{"/v2/models/stats", "", ""}));
  EXPECT_EQ(Parsed("/v2/repository/index").pattern, "/v2/repository/index");
}

TEST(RestPathTest, PathsThatAreNoneKeepTheirPattern) {
  EXPECT_EQ(Parsed("/v2/models/../etc/passwd").pattern, "/v2/models/*/etc/passwd");
  EXPECT_EQ(Parsed("/v2//models").pattern, "/v2//models");
  EXPECT_EQ(Parsed("/v2/models/m/versions").pattern, "/v2/models/*/versions");
}

TEST(RestPathTest, AnEscapeMustBeWhole) {
  for (const char* path :
       {"/v2/models/a%", "/v2/models/a%2", "/v2/models/a%zz/infer", "/v2/models/m/versions/%/infer"}) {
    EXPECT_EQ(ParseRestPath(path).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
}

}  // namespace
}  // namespace anybit::server
