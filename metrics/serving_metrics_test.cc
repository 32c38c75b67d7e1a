#include "metrics/serving_metrics.h"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "metrics/server_metrics.h"

namespace anybit::metrics {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr scheduler::SlaClassId kInteractive{1};
constexpr scheduler::TenantId kSearch{1};
constexpr PointId kExact = ToPointId(0);
constexpr PointId kCoarse = ToPointId(1);

ServingMetricsLabels Labels() {
  return {.model = "fashion",
          .version = 3,
          .points = {{.name = "w8a8", .accuracy = 0.92}, {.name = "w1a1", .accuracy = 0.8}},
          .sla_classes = {{.name = "default"}, {.name = "interactive", .objective = milliseconds(37)}},
          .tenants = {"default", "search"},
          .max_batch = 12};
}

// The page without the label of the version that all tests have.
std::string Shown(const MetricsPage& page) {
  return absl::StrReplaceAll(page.Text(), {{R"({version="3"})", ""}, {R"(,version="3")", ""}, {R"(version="3",)", ""}});
}

scheduler::EndedEvent Served(PointId point, double accuracy, Duration total) {
  return {.kind = scheduler::OutcomeKind::kServed,
          .sla_class = kInteractive,
          .point = point,
          .expected_accuracy = accuracy,
          .rows = 1,
          .queue_time = total / 4,
          .compute_time = total / 2,
          .total_time = total,
          .has_deadline = true,
          .deadline_met = total <= milliseconds(37)};
}

TEST(ServingMetricsTest, EveryOutcomeIsThereBeforeTheFirstRequest) {
  MetricsPage page;
  const ServingMetrics metrics(page, Labels());
  const std::string text = Shown(page);
  for (const char* outcome : {"served", "shed", "expired", "cancelled", "failed", "unavailable"}) {
    EXPECT_THAT(text, HasSubstr(std::string("anybit_requests_total{outcome=\"") + outcome + "\"} 0\n"));
  }
}

TEST(ServingMetricsTest, RequestsAreCountedByHowTheyEnded) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnEnded(Served(kExact, 0.92, milliseconds(10)));
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kShed});
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kShed});
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"served\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_requests_total{outcome=\"shed\"} 2\n"));
}

TEST(ServingMetricsTest, TheNetworksMemoryIsShown) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.SetNetworkBytes(700, 3000);
  metrics.SetNetworkBytes(700, 2000);
  EXPECT_THAT(Shown(page), HasSubstr("anybit_weight_bytes 700\n"));
  EXPECT_THAT(Shown(page), HasSubstr("anybit_panel_bytes 2000\n"));
}

TEST(ServingMetricsTest, WhatEndsBeforeItHasAVersionIsCountedWithoutOne) {
  MetricsPage page;
  ServerMetrics edge(page, {});
  ServingMetrics metrics(page, Labels());
  edge.CountInvalidRequest();
  edge.CountRequest(scheduler::OutcomeKind::kShed);
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kShed});
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kShed});
  EXPECT_THAT(page.Text(), HasSubstr("anybit_requests_total{outcome=\"invalid\"} 1\n"));
  EXPECT_THAT(page.Text(), HasSubstr("anybit_requests_total{outcome=\"shed\"} 1\n"));
  EXPECT_THAT(page.Text(), HasSubstr("anybit_requests_total{outcome=\"shed\",version=\"3\"} 2\n"));
}

TEST(ServingMetricsTest, AVersionThatLeavesTakesItsSeriesWithIt) {
  MetricsPage page;
  const ServingMetrics metrics(page, Labels());
  ServingMetricsLabels next = Labels();
  next.version = 4;
  next.points = {{.name = "w2a2", .accuracy = 0.85}};
  {
    const ServingMetrics other(page, next);
    EXPECT_THAT(page.Text(), HasSubstr("anybit_model_info{model=\"fashion\",version=\"4\"} 1\n"));
    EXPECT_THAT(page.Text(), HasSubstr("anybit_rows_total{operating_point=\"w2a2\",version=\"4\"} 0\n"));
  }
  EXPECT_THAT(page.Text(), Not(HasSubstr("version=\"4\"")));
  EXPECT_THAT(page.Text(), HasSubstr("anybit_model_info{model=\"fashion\",version=\"3\"} 1\n"));
}

TEST(ServingMetricsTest, AnObjectiveIsABoundaryOfTheDurations) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnEnded(Served(kExact, 0.92, milliseconds(37)));
  metrics.OnEnded(Served(kExact, 0.92, milliseconds(38)));
  EXPECT_THAT(Shown(page),
              HasSubstr("anybit_request_duration_seconds_bucket{sla_class=\"interactive\",le=\"0.037\"} 1\n"));
  EXPECT_THAT(Shown(page), HasSubstr("anybit_request_duration_seconds_count{sla_class=\"default\"} 0\n"));
}

TEST(ServingMetricsTest, RefusedRequestsWithADeadlineMissTheirObjective) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnEnded(Served(kExact, 0.92, milliseconds(10)));
  metrics.OnEnded(Served(kExact, 0.92, milliseconds(40)));
  for (scheduler::OutcomeKind kind :
       {scheduler::OutcomeKind::kShed, scheduler::OutcomeKind::kExpired, scheduler::OutcomeKind::kFailed}) {
    metrics.OnEnded({.kind = kind, .sla_class = kInteractive, .has_deadline = true});
  }
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_slo_requests_total{met=\"true\",sla_class=\"interactive\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_slo_requests_total{met=\"false\",sla_class=\"interactive\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("anybit_slo_requests_total{met=\"true\",sla_class=\"default\"} 0\n"));
}

TEST(ServingMetricsTest, CancelledRequestsAndThoseWithoutDeadlineDoNotCountForObjectives) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kCancelled, .sla_class = kInteractive, .has_deadline = true});
  scheduler::EndedEvent without_deadline = Served(kExact, 0.92, milliseconds(10));
  without_deadline.has_deadline = false;
  metrics.OnEnded(without_deadline);
  EXPECT_THAT(Shown(page), HasSubstr("anybit_slo_requests_total{met=\"true\",sla_class=\"interactive\"} 0\n"));
  EXPECT_THAT(Shown(page), HasSubstr("anybit_slo_requests_total{met=\"false\",sla_class=\"interactive\"} 0\n"));
}

TEST(ServingMetricsTest, ATenantsRequestsAreMetWhenAnsweredAndInTimeIfTheyHadADeadline) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  for (const Duration total : {milliseconds(10), milliseconds(40)}) {  // in time, late
    scheduler::EndedEvent event = Served(kExact, 0.92, total);
    event.tenant = kSearch;
    metrics.OnEnded(event);
  }
  metrics.OnEnded(
      {.kind = scheduler::OutcomeKind::kServed, .tenant = kSearch, .expected_accuracy = 0.8, .has_deadline = false});
  for (scheduler::OutcomeKind kind :
       {scheduler::OutcomeKind::kShed, scheduler::OutcomeKind::kExpired, scheduler::OutcomeKind::kFailed}) {
    metrics.OnEnded({.kind = kind, .tenant = kSearch, .has_deadline = true});
  }
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kShed, .tenant = kSearch, .has_deadline = false});
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kCancelled, .tenant = kSearch, .has_deadline = true});
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_tenant_requests_total{met=\"true\",tenant=\"search\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anybit_tenant_requests_total{met=\"false\",tenant=\"search\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("anybit_tenant_requests_total{met=\"true\",tenant=\"default\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("anybit_tenant_requests_total{met=\"false\",tenant=\"default\"} 0\n"));
}

TEST(ServingMetricsTest, ServedAccuracyIsKnownForEachTenant) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  scheduler::EndedEvent event = Served(kCoarse, 0.8, milliseconds(1));
  event.tenant = kSearch;
  metrics.OnEnded(event);
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kShed, .tenant = kSearch});
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_tenant_served_accuracy_ratio_bucket{tenant=\"search\",le=\"0.8\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_tenant_served_accuracy_ratio_sum{tenant=\"search\"} 0.8"));
  EXPECT_THAT(text, HasSubstr("anybit_tenant_served_accuracy_ratio_count{tenant=\"search\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_tenant_served_accuracy_ratio_count{tenant=\"default\"} 0\n"));
}

TEST(ServingMetricsTest, ReplacedDecisionsAreCounted) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  EXPECT_THAT(Shown(page), HasSubstr("anybit_decisions_replaced_total 0\n"));
  metrics.OnDecisionReplaced({.policy = "odd", .reason = absl::InternalError("no such slot")});
  EXPECT_THAT(Shown(page), HasSubstr("anybit_decisions_replaced_total 1\n"));
}

TEST(ServingMetricsTest, RefusedRequestsDoNotEnterTheDurations) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kShed, .total_time = milliseconds(1), .has_deadline = true});
  const std::string text = Shown(page);
  EXPECT_THAT(text, Not(HasSubstr("anybit_request_duration_seconds_count{sla_class=\"default\"} 1\n")));
  EXPECT_THAT(text, HasSubstr("anybit_queue_duration_seconds_count 0\n"));
}

TEST(ServingMetricsTest, BatchesAndRowsAreCountedAtTheirOperatingPoint) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnDispatched({.point = kCoarse, .requests = 2, .rows = 5});
  metrics.OnDispatched({.point = kCoarse, .requests = 1, .rows = 12});
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_batches_total{operating_point=\"w1a1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anybit_rows_total{operating_point=\"w1a1\"} 17\n"));
  EXPECT_THAT(text, HasSubstr("anybit_batches_total{operating_point=\"w8a8\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("anybit_batch_rows_bucket{le=\"8\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_batch_rows_bucket{le=\"12\"} 2\n"));
}

TEST(ServingMetricsTest, ASwitchCountsForThePointThatItLeadsToAndItsReason) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  const auto dispatch = [&](PointId point, std::optional<scheduler::SwitchReason> switched) {
    metrics.OnDispatched({.point = point, .requests = 1, .rows = 1, .switched = switched});
  };
  dispatch(kExact, std::nullopt);
  dispatch(kCoarse, scheduler::SwitchReason::kDeadline);
  dispatch(kExact, scheduler::SwitchReason::kRecovery);
  dispatch(kCoarse, scheduler::SwitchReason::kBacklog);
  dispatch(kExact, scheduler::SwitchReason::kRecovery);
  const std::string text = Shown(page), name = "anybit_operating_point_switches_total{operating_point=";
  EXPECT_THAT(text, HasSubstr(name + "\"w1a1\",reason=\"deadline\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(name + "\"w1a1\",reason=\"backlog\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(name + "\"w8a8\",reason=\"recovery\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(name + "\"w8a8\",reason=\"floor\"} 0\n"));
}

TEST(ServingMetricsTest, ShedRequestsAreCountedByTheirReason) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  for (const auto reason :
       {scheduler::ShedReason::kLate, scheduler::ShedReason::kQueueFull, scheduler::ShedReason::kLate}) {
    metrics.OnEnded({.kind = scheduler::OutcomeKind::kShed, .shed_reason = reason});
  }
  metrics.OnEnded({.kind = scheduler::OutcomeKind::kExpired});
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_shed_requests_total{reason=\"late\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anybit_shed_requests_total{reason=\"queue_full\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_shed_requests_total{reason=\"deadline\"} 0\n"));
}

TEST(ServingMetricsTest, ComparedAndReportedRowsAreCountedByPoint) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.CountLiveRow(kCoarse, true);
  metrics.CountLiveRow(kCoarse, false);
  metrics.CountLiveRow(kCoarse, true);
  metrics.CountFeedback(kExact, false);
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_live_rows_total{agrees=\"true\",operating_point=\"w1a1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anybit_live_rows_total{agrees=\"false\",operating_point=\"w1a1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_feedback_rows_total{correct=\"false\",operating_point=\"w8a8\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_feedback_rows_total{correct=\"true\",operating_point=\"w8a8\"} 0\n"));
}

TEST(ServingMetricsTest, TheSlackOfABatchIsLeftAfterItsPredictedEnd) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnDispatched({.rows = 1, .predicted = milliseconds(3), .earliest_slack = milliseconds(8)});
  metrics.OnDispatched({.rows = 1, .predicted = milliseconds(9), .earliest_slack = milliseconds(8)});
  metrics.OnDispatched({.rows = 1, .predicted = milliseconds(9), .earliest_slack = Duration::max()});  // no deadline
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_dispatch_slack_seconds_bucket{le=\"0\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_dispatch_slack_seconds_bucket{le=\"0.002\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_dispatch_slack_seconds_bucket{le=\"0.005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anybit_dispatch_slack_seconds_count 2\n"));
}

TEST(ServingMetricsTest, QueuedWorkIsTheTimeOfAllSlotsAtTheMostAccuratePoint) {
  ServingMetricsLabels labels = Labels();
  labels.row_latencies = {milliseconds(8), milliseconds(1)};
  labels.slots = 2;
  MetricsPage page;
  ServingMetrics metrics(page, labels);
  metrics.OnQueue({.waiting_requests = 2, .waiting_rows = 25, .running_batches = 2});
  EXPECT_THAT(Shown(page), HasSubstr("anybit_queue_work_seconds 0.1\n"));
  EXPECT_THAT(Shown(page), HasSubstr("anybit_operating_point_row_seconds{operating_point=\"w1a1\"} 0.001\n"));
}

TEST(ServingMetricsTest, ServedAccuracyAndItsDeficitFallIntoTheBucketsOfTheirPoints) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnEnded(Served(kExact, 0.92, milliseconds(1)));
  metrics.OnEnded(Served(kCoarse, 0.8, milliseconds(1)));
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_served_accuracy_ratio_bucket{le=\"0.8\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_served_accuracy_ratio_bucket{le=\"0.92\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("anybit_accuracy_deficit_ratio_bucket{le=\"0\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_accuracy_deficit_ratio_count 2\n"));
}

TEST(ServingMetricsTest, AFailedBatchDoesNotCountForPredictions) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnBatchFinished({.predicted = milliseconds(2), .actual = milliseconds(9), .ok = false});
  EXPECT_THAT(Shown(page), HasSubstr("anybit_batch_latency_prediction_ratio_count 0\n"));
  metrics.OnBatchFinished({.predicted = milliseconds(4), .actual = milliseconds(2), .ok = true});
  EXPECT_THAT(Shown(page), HasSubstr("anybit_batch_latency_prediction_ratio_bucket{le=\"0.5\"} 1\n"));
}

TEST(ServingMetricsTest, ASlotIsBusyForTheTimeOfItsBatchesHoweverManyRequestsTheyHave) {
  ServingMetricsLabels labels = Labels();
  labels.slots = 2;
  MetricsPage page;
  ServingMetrics metrics(page, labels);
  for (int batch = 0; batch < 4; ++batch) {
    metrics.OnBatchFinished({.slot = 1, .actual = milliseconds(400), .computed = milliseconds(300), .ok = batch != 0});
    for (int request = 0; request < 64; ++request) metrics.OnEnded(Served(kExact, 0.92, milliseconds(600)));
  }
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_slot_busy_seconds_total{slot=\"0\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("anybit_slot_busy_seconds_total{slot=\"1\"} 1.2\n"));
}

TEST(ServingMetricsTest, DeliveriesFallIntoTheirBucket) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnDelivered({.took = milliseconds(2)});
  EXPECT_THAT(Shown(page), HasSubstr("anybit_delivery_duration_seconds_bucket{le=\"0.001\"} 0\n"));
  EXPECT_THAT(Shown(page), HasSubstr("anybit_delivery_duration_seconds_bucket{le=\"0.002\"} 1\n"));
}

TEST(ServingMetricsTest, TheGaugesShowTheLatestQueue) {
  MetricsPage page;
  ServingMetrics metrics(page, Labels());
  metrics.OnQueue({.waiting_requests = 9, .waiting_rows = 20, .running_batches = 2});
  metrics.OnQueue({.waiting_requests = 1, .waiting_rows = 4, .running_batches = 1});
  const std::string text = Shown(page);
  EXPECT_THAT(text, HasSubstr("anybit_queue_requests 1\n"));
  EXPECT_THAT(text, HasSubstr("anybit_queue_rows 4\n"));
  EXPECT_THAT(text, HasSubstr("anybit_running_batches 1\n"));
}

TEST(ServingMetricsTest, TheModelsInfoNamesTheInstructionSetWhereThereIsOne) {
  ServingMetricsLabels labels = Labels();
  {
    MetricsPage page;
    const ServingMetrics metrics(page, labels);
    EXPECT_THAT(page.Text(), HasSubstr("anybit_model_info{model=\"fashion\",version=\"3\"} 1\n"));
  }
  labels.isa = "avx2";
  MetricsPage page;
  const ServingMetrics metrics(page, labels);
  EXPECT_THAT(page.Text(), HasSubstr("anybit_model_info{isa=\"avx2\",model=\"fashion\",version=\"3\"} 1\n"));
}

TEST(ServingMetricsTest, PromtoolReportsNoProblem) {
  MetricsPage page;
  ServerMetrics server(page, {.refused_call_reasons = {"unknown_method"}, .device_uuid = "GPU-1"});
  ServingMetricsLabels next = Labels();
  next.version = 4;
  ServingMetrics metrics(page, Labels()), other(page, next);
  metrics.OnEnded(Served(kExact, 0.92, milliseconds(10)));
  metrics.OnDispatched({.point = kCoarse, .requests = 2, .rows = 5});
  const std::string folder = ::testing::TempDir();
  std::ofstream(folder + "/metrics.txt") << page.Text();
  const int status = std::system(
      ("promtool check metrics < '" + folder + "/metrics.txt' > '" + folder + "/findings.txt' 2>&1").c_str());
  std::stringstream findings;
  findings << std::ifstream(folder + "/findings.txt").rdbuf();
  EXPECT_EQ(status, 0);
  EXPECT_EQ(findings.str(), "");
}

}  // namespace
}  // namespace anybit::metrics
