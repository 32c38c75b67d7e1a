#include "server/request_terms.h"

#include <chrono>
#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "server/testing/infer_request.h"
#include "server/testing/sum_network.h"

namespace anybit::server {
namespace {

using inference::ModelInferRequest;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using testing::InferRequest;
using testing::Model;
using testing::SumNetwork;
using testing::WithInt64;
using testing::WithString;

constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();

RequestTerms Terms(const ModelInferRequest& request) {
  const auto terms = ReadTerms(request.parameters(), Model());
  EXPECT_TRUE(terms.ok()) << terms.status();
  return terms.value_or(RequestTerms{});
}

void ExpectRefused(const ModelInferRequest& request, const std::string& part_of_message) {
  const absl::Status status = ReadTerms(request.parameters(), Model()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << part_of_message;
  EXPECT_THAT(std::string(status.message()), HasSubstr(part_of_message));
  EXPECT_LT(status.message().size(), 2000u);
}

TEST(RequestTermsTest, WithoutParametersThereIsNoTimeLimitAndEveryPointIsAllowed) {
  const RequestTerms terms = Terms(InferRequest());
  EXPECT_EQ(terms.time_limit, Duration::max());
  EXPECT_EQ(terms.allowed, scheduler::PointSet::First(4));
  EXPECT_EQ(terms.sla_class, scheduler::SlaClassId{0});
  EXPECT_EQ(terms.tenant, scheduler::TenantId{0});
}

TEST(RequestTermsTest, TheTimeLimitIsTheLeastOfTimeoutAliasAndObjective) {
  EXPECT_EQ(Terms(WithInt64("timeout", 1500)).time_limit, microseconds(1500));
  EXPECT_EQ(Terms(WithInt64("slo_us", 1600)).time_limit, microseconds(1600));
  ModelInferRequest request = WithInt64("timeout", 30000);
  (*request.mutable_parameters())["slo_us"].set_int64_param(25000);
  EXPECT_EQ(Terms(request).time_limit, milliseconds(25));
  (*request.mutable_parameters())["sla_class"].set_string_param("interactive");
  EXPECT_EQ(Terms(request).time_limit, milliseconds(20));
}

TEST(RequestTermsTest, ATimeoutOfZeroIsNone) { EXPECT_EQ(Terms(WithInt64("timeout", 0)).time_limit, Duration::max()); }

TEST(RequestTermsTest, AHugeTimeoutDoesNotOverflow) {
  EXPECT_EQ(Terms(WithInt64("timeout", kInt64Max)).time_limit, Duration::max());
}

TEST(RequestTermsTest, ANegativeTimeoutIsRefused) {
  ExpectRefused(WithInt64("timeout", -1), "invalid value for 'timeout'");
  ExpectRefused(WithInt64("slo_us", kInt64Min), "invalid value for 'slo_us'");
}

TEST(RequestTermsTest, FloorsAndPinBecomeTheSetOfPointsThatSatisfyThem) {
  EXPECT_EQ(Terms(WithInt64("min_accuracy_bp", 9000)).allowed, scheduler::PointSet::First(3));
  EXPECT_EQ(Terms(WithInt64("min_accuracy_bp", 9300)).allowed, scheduler::PointSet::First(1));
  EXPECT_EQ(Terms(WithInt64("min_bits", 8)).allowed, scheduler::PointSet::First(2));
  EXPECT_EQ(Terms(WithString("operating_point", "w1a1")).allowed,
            scheduler::PointSet::Of(ToPointId(SumNetwork::kW1a1)));
  EXPECT_EQ(Terms(WithString("sla_class", "interactive")).allowed, scheduler::PointSet::First(3));
}

TEST(RequestTermsTest, ATenantIsKnownByItsName) {
  EXPECT_EQ(Terms(WithString("tenant", "careful")).tenant, scheduler::TenantId{1});
  EXPECT_EQ(Terms(WithString("tenant", "default")).tenant, scheduler::TenantId{0});
}

TEST(RequestTermsTest, OfTheFloorsOfClassTenantAndRequestTheHighestCounts) {
  ModelInferRequest request = WithString("tenant", "careful");
  auto& parameters = *request.mutable_parameters();
  EXPECT_EQ(Terms(request).allowed, scheduler::PointSet::First(2));
  parameters["sla_class"].set_string_param("interactive");
  EXPECT_EQ(Terms(request).allowed, scheduler::PointSet::First(2));
  parameters["min_accuracy_bp"].set_int64_param(9000);
  EXPECT_EQ(Terms(request).allowed, scheduler::PointSet::First(2));
  parameters["min_accuracy_bp"].set_int64_param(9300);
  EXPECT_EQ(Terms(request).allowed, scheduler::PointSet::First(1));
  parameters["operating_point"].set_string_param("w8a8");
  ExpectRefused(request, "operating point 'w8a8' does not have an accuracy of at least 9300");
  parameters.erase("min_accuracy_bp");
  EXPECT_EQ(Terms(request).allowed, scheduler::PointSet::Of(ToPointId(SumNetwork::kW8a8)));
  parameters["operating_point"].set_string_param("w4a4f");
  ExpectRefused(request, "at least 9200");
}

TEST(RequestTermsTest, AnUnsatisfiableFloorNamesTheBestAvailable) {
  ExpectRefused(WithInt64("min_accuracy_bp", 9301), "9301 basis points, the best available has 9300");
  ModelInferRequest request = WithString("operating_point", "w1a1");
  (*request.mutable_parameters())["min_accuracy_bp"].set_int64_param(8001);
  ExpectRefused(request, "operating point 'w1a1' does not have an accuracy of at least 8001");
  request = WithString("operating_point", "w1a1");
  (*request.mutable_parameters())["sla_class"].set_string_param("interactive");
  ExpectRefused(request, "at least 8500");
}

TEST(RequestTermsTest, FloorsOutOfRangeAreRefused) {
  ExpectRefused(WithInt64("min_accuracy_bp", -1), "expected 0 to 10000");
  ExpectRefused(WithInt64("min_accuracy_bp", 10001), "expected 0 to 10000");
  ExpectRefused(WithInt64("min_bits", -1), "expected 0 to 32");
  ExpectRefused(WithInt64("min_bits", 33), "expected 0 to 32");
}

TEST(RequestTermsTest, UnknownPointsClassesAndTenantsAreAnsweredWithTheKnownOnes) {
  ExpectRefused(WithString("operating_point", "w2a2"), "known: fp32, w8a8, w4a4f, w1a1");
  ExpectRefused(WithString("operating_point", ""), "known: fp32");
  ExpectRefused(WithString("sla_class", "gold"), "unknown 'sla_class' 'gold', known: default, interactive");
  ExpectRefused(WithString("tenant", "a\nb"), "unknown 'tenant' 'a\\nb', known: default, careful");
  ExpectRefused(WithString("tenant", ""), "unknown 'tenant' ''");
}

TEST(RequestTermsTest, OfManyKnownTenantsTheMessageNamesOnlyTheFirst) {
  ServedModel model = Model();
  for (int i = 2; i < 255; ++i) model.tenants.push_back({.name = std::string(61, 'x') + std::to_string(i)});
  const absl::Status status = ReadTerms(WithString("tenant", "gold").parameters(), model).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("x15, ..."));
  EXPECT_LT(status.message().size(), 2000u);
}

TEST(RequestTermsTest, ParametersOfTheWrongTypeAreRefused) {
  ExpectRefused(WithString("timeout", "1500"), "invalid value type for 'timeout' parameter, expected int64_param.");
  ExpectRefused(WithString("min_bits", "8"), "expected int64_param");
  for (const char* name : {"operating_point", "sla_class", "tenant"}) {
    ExpectRefused(WithInt64(name, 1), "expected string_param");
  }
}

TEST(RequestTermsTest, APriorityStandsForTheClassOfThatWeightUnlessAClassIsNamed) {
  ServedModel model = Model();
  const auto class_of = [&](inference::ModelInferRequest request) {
    const auto terms = ReadTerms(request.parameters(), model);
    EXPECT_TRUE(terms.ok()) << terms.status();
    return terms.ok() ? static_cast<int>(terms->sla_class) : -1;
  };
  EXPECT_EQ(class_of(WithInt64("priority", 1)), 0) << "all weights are equal";
  model.sla_classes = {{.name = "default"}, {.name = "urgent", .weight = 5}, {.name = "also urgent", .weight = 5}};
  EXPECT_EQ(class_of(WithInt64("priority", 0)), 0);
  EXPECT_EQ(class_of(WithInt64("priority", 1)), 1);
  EXPECT_EQ(class_of(WithInt64("priority", 2)), 0);
  EXPECT_EQ(class_of(WithInt64("priority", 3)), 0) << "beyond the levels it is the default";
  ModelInferRequest request = WithString("sla_class", "default");
  (*request.mutable_parameters())["priority"].set_uint64_param(1);
  EXPECT_EQ(class_of(request), 0);
}

}  // namespace
}  // namespace anybit::server
