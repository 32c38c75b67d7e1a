#include "model/train/search/search_run.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <sstream>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "model/arch/registry.h"
#include "model/kernels/cpu/instruction_set.h"
#include "model/testing/random_artifact.h"

namespace anybit::model::train {
namespace {

// Random images with labels in turn.
MemoryExamples Examples(int count, uint64_t seed) {
  const Artifact artifact = RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1);
  std::vector<uint16_t> labels(count);
  for (int i = 0; i < count; ++i) labels[i] = static_cast<uint16_t>(i % 10);
  return MemoryExamples({.height = 8, .width = 8}, labels, RandomImages(artifact, count, seed));
}

HessianTraces EqualTraces(const Artifact& artifact) {
  HessianTraces traces{.network = artifact.spec.name()};
  traces.layers = TreeOf(*PlanNetwork(artifact.spec)).names;
  traces.traces.assign(traces.layers.size(), 1);
  traces.errors.assign(traces.layers.size(), 0);
  return traces;
}

class SearchRunTest : public testing::Test {
 protected:
  absl::StatusOr<SearchResult> Search(const SearchRequest& request, bool with_test = true) {
    progress_.str("");
    return RunSearch(artifact_, request, {.training = training_, .test = with_test ? &test_ : nullptr},
                     {.traces = &traces_}, *SupportedKernels().front(), progress_, false);
  }

  SearchRequest Request(SearchMethod method = SearchMethod::kMeasured) const {
    return {.method = method,
            .cost = CostKind::kBitProducts,
            .rungs = {"w8a8", "w4a4f", "w1a1"},
            .budgets = {"20%", "60%"},
            .calibration = 20,
            .held_out = 40,
            .recheck = 3,
            .random_routes = 10};
  }

  const Artifact artifact_ = RandomArtifact(*ArchitectureByName("fashion_tiny:side=8"), 1);
  const HessianTraces traces_ = EqualTraces(artifact_);
  const MemoryExamples training_ = Examples(100, 2), test_ = Examples(30, 3);
  std::ostringstream progress_;
};

TEST_F(SearchRunTest, EveryMethodAppendsAPointForEachBudget) {
  for (const SearchMethod method : {SearchMethod::kMeasured, SearchMethod::kAttribution, SearchMethod::kCurvature,
                                    SearchMethod::kGreedy, SearchMethod::kRandom}) {
    SCOPED_TRACE(NameOf(method));
    const absl::StatusOr<SearchResult> result = Search(Request(method));
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(result->artifact.points.size(), artifact_.points.size() + 2);
    EXPECT_TRUE(ValidateArtifact(result->artifact).ok());
    ASSERT_EQ(result->report.points.size(), 5u);
    for (int i = 0; i < 2; ++i) {
      const SearchedPoint& point = result->report.points[3 + i];
      const ArtifactPoint& added = result->artifact.points[artifact_.points.size() + i];
      EXPECT_EQ(added.info.name, i == 0 ? "mixed1" : "mixed2");
      EXPECT_LE(point.cost, *point.budget);
      EXPECT_EQ(added.info.accuracy, *point.test);
      EXPECT_EQ(added.accuracy_images, 30);
    }
    EXPECT_EQ(progress_.str().empty(), result->report.routes < 20);
  }
}

TEST_F(SearchRunTest, ExhaustiveSearchIsTheMeasureOfTheOthersThatShareItsJournal) {
  SearchRequest request = Request(SearchMethod::kExhaustive);
  request.rungs = {"w8a8", "w1a1"};
  request.journal = testing::TempDir() + "/exhaustive.journal";
  const SearchResult all = *Search(request);
  const SearchedPoint& of_all = all.report.points.back();
  EXPECT_EQ(of_all.held_out.loss, of_all.best->loss);
  EXPECT_GT(of_all.best->routes, 256);  // of 512
  request.resume = true;
  request.method = SearchMethod::kMeasured;
  const SearchResult measured = *Search(request);
  EXPECT_EQ(measured.report.points.back().best->routes, of_all.best->routes);
  EXPECT_EQ(measured.report.points.back().best->loss, of_all.best->loss);
  EXPECT_GE(measured.report.points.back().held_out.loss, of_all.best->loss);
  EXPECT_GT(measured.report.agreement->routes, 256);
}

TEST_F(SearchRunTest, ExhaustiveSearchOfTooManyRoutesIsRefused) {
  SearchRequest request = Request(SearchMethod::kExhaustive);
  request.rungs = {};
  EXPECT_EQ(Search(request).status().message(), "1953125 routes of 5 rungs exceed 20000; name fewer rungs");
}

TEST_F(SearchRunTest, PointsThatWereThereStayAsTheyWere) {
  const SearchResult result = *Search(Request());
  for (size_t i = 0; i < artifact_.points.size(); ++i) {
    EXPECT_EQ(result.artifact.points[i].info.name, artifact_.points[i].info.name);
    EXPECT_EQ(result.artifact.points[i].info.accuracy, artifact_.points[i].info.accuracy);
  }
}

TEST_F(SearchRunTest, WithoutTestRowsAccuraciesAreThoseOfTheHeldOutRows) {
  const SearchResult result = *Search(Request(), /*with_test=*/false);
  EXPECT_EQ(result.artifact.points.back().info.accuracy, result.report.points.back().held_out.accuracy);
  EXPECT_EQ(result.artifact.points.back().accuracy_images, 40);
}

TEST_F(SearchRunTest, ResumedSearchScoresNothingTwiceAndFindsTheSame) {
  SearchRequest request = Request();
  request.journal = testing::TempDir() + "/search.journal";
  const SearchResult first = *Search(request);
  EXPECT_GT(first.report.routes, 0);
  // As if the program had been ended while it wrote.
  const std::string text = *ReadFile(request.journal);
  ASSERT_TRUE(ReplaceFile(request.journal, text + "{\"route\":\"w8a8,w").ok());
  request.resume = true;
  const SearchResult second = *Search(request);
  EXPECT_EQ(second.report.routes, 0);
  EXPECT_EQ(second.report.resumed, first.report.routes);
  ASSERT_EQ(second.report.points.size(), first.report.points.size());
  for (size_t i = 0; i < first.report.points.size(); ++i) {
    EXPECT_EQ(second.report.points[i].route, first.report.points[i].route);
    EXPECT_EQ(second.report.points[i].held_out.loss, first.report.points[i].held_out.loss);
  }
  EXPECT_EQ(second.artifact.points.back().layers[1].scale, first.artifact.points.back().layers[1].scale);
}

TEST_F(SearchRunTest, SearchOfAnArtifactWithSearchedPointsTakesTheirJournal) {
  SearchRequest request = Request();
  request.journal = testing::TempDir() + "/shared.journal";
  const SearchResult first = *Search(request);
  request.resume = true;
  request.name = "again";
  const auto again = [&](const Artifact& artifact) {
    return RunSearch(artifact, request, {.training = training_, .test = &test_}, {}, *SupportedKernels().front(),
                     progress_, false);
  };
  EXPECT_EQ(again(first.artifact)->report.routes, 0);
  Artifact other = first.artifact;
  other.store[1].q8[0] ^= 1;
  EXPECT_EQ(again(other).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SearchRunTest, JournalOfAnotherSearchIsRefused) {
  SearchRequest request = Request();
  request.journal = testing::TempDir() + "/other.journal";
  ASSERT_TRUE(Search(request).ok());
  request.resume = true;
  request.held_out = 30;
  EXPECT_EQ(Search(request).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SearchRunTest, RequestsThatDoNotFitAreRefused) {
  const auto error = [&](const SearchRequest& request) { return std::string(Search(request).status().message()); };
  SearchRequest request = Request();
  request.rungs = {"w8a8", "w6a6"};
  EXPECT_EQ(error(request),
            "no operating point 'w6a6' for a rung; the artifact has fp32, w8a8, w4a4f, w3a2f, w1a1, w1a2");
  request = Request();
  request.budgets = {"-5"};
  EXPECT_NE(error(request).find("budget '-5' is -5 bit products, outside the range of routes"), std::string::npos);
  request = Request();
  request.cost = CostKind::kLatency;
  EXPECT_EQ(error(request), "budgets of latency need measured layer latencies");
  request = Request();
  request.held_out = 100;
  EXPECT_EQ(error(request), "held-out images 100 is outside 1..99");
  request = Request();
  request.name = "Mixed";
  EXPECT_EQ(error(request), "operating point name 'Mixed1' has a character outside [a-z0-9_]");
}

TEST_F(SearchRunTest, NamesOfMethodsAndCostsAreListedWhereOneIsWrong) {
  EXPECT_EQ(SearchMethodByName("best").status().message(),
            "method 'best' is none of measured, gmpq, hawq, greedy, random, exhaustive");
  EXPECT_EQ(CostKindByName("watts").status().message(), "cost 'watts' is none of latency, bytes, bit_products");
}

SearchReport ReportOf(double searched) {
  SearchReport report{.method = "measured", .network = "n", .unit = "us", .test_images = 10'000};
  report.points = {{.name = "w8a8", .route = "", .budget = {}, .cost = 200, .held_out = {}, .test = 0.94},
                   {.name = "w4a4f", .route = "", .budget = {}, .cost = 150, .held_out = {}, .test = 0.91},
                   {.name = "w1a1", .route = "", .budget = {}, .cost = 100, .held_out = {}, .test = 0.90},
                   {.name = "mixed1", .route = "", .budget = 160, .cost = 150, .held_out = {}, .test = searched}};
  return report;
}

TEST(SearchReportTest, HullTimeSharesTwoUniformPoints) {
  const SearchReport report = ReportOf(0.93);
  EXPECT_NEAR(*HullAt(report, 150), 0.92, 1e-12);  // half w8a8, half w1a1: above w4a4f
  EXPECT_NEAR(*HullAt(report, 300), 0.94, 1e-12);
  EXPECT_FALSE(HullAt(report, 99).has_value());
}

TEST(SearchReportTest, MarginIsTheDistanceFromTheHullBesideItsError) {
  const HullMargin margin = *MarginOf(ReportOf(0.93), ReportOf(0.93).points.back());
  EXPECT_NEAR(margin.above, 0.01, 1e-12);
  EXPECT_NEAR(margin.two_errors, 2 * std::sqrt((0.93 * 0.07 + 0.92 * 0.08) / 10'000), 1e-12);
}

TEST(SearchReportTest, ErrorIsThatOfTheDifferenceWhereTheAnswersToEachRowAreKnown) {
  SearchReport report{.method = "measured", .network = "n", .unit = "us", .test_images = 4};
  const auto point = [](const char* name, double cost, std::vector<bool> right) {
    SearchedPoint p{.name = name, .route = "", .budget = {}, .cost = cost, .held_out = {}, .test = {}};
    p.test = static_cast<double>(std::count(right.begin(), right.end(), true)) / static_cast<double>(right.size());
    p.right = std::move(right);
    return p;
  };
  report.points = {point("high", 20, {true, true, true, false}), point("low", 10, {true, false, false, false}),
                   point("mixed1", 15, {true, true, true, false})};
  report.points.back().budget = 16;
  // The mixture is right for 1, 1/2, 1/2 and 0 of the rows: differences of 0, 1/2, 1/2, 0.
  const HullMargin margin = *MarginOf(report, report.points.back());
  EXPECT_NEAR(margin.above, 0.25, 1e-12);
  EXPECT_NEAR(margin.two_errors, 2 * std::sqrt(0.25 / 3 / 4), 1e-12);
}

TEST(SearchReportTest, FigureHasAColourForEachMethod) {
  SearchReport report = ReportOf(0.93);
  report.points.push_back(report.points.back());
  report.points.back().method = "greedy";
  const std::string figure = ReportFigure(report);
  EXPECT_NE(figure.find("searched, measured"), std::string::npos);
  EXPECT_NE(figure.find("searched, greedy"), std::string::npos);
}

TEST(SearchReportTest, JsonHoldsWhatTheTableShows) {
  const SearchReport report = ReportOf(0.93);
  const Json json = *ParseJsonObject(ReportJson(report));
  EXPECT_EQ(json["points"].size(), 4u);
  EXPECT_EQ(json["points"][3]["name"], "mixed1");
  EXPECT_NEAR(json["points"][3]["above_hull"].get<double>(), 0.01, 1e-12);
  EXPECT_NE(ReportTable(report).find("+1.00"), std::string::npos);
  EXPECT_NE(ReportFigure(report).find("<svg"), std::string::npos);
}

}  // namespace
}  // namespace anybit::model::train
