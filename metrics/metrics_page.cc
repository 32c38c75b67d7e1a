#include "metrics/metrics_page.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <utility>

namespace anybit::metrics {

MetricsPage::MetricsPage() : registry_(std::make_unique<prometheus::Registry>()) {}
MetricsPage::~MetricsPage() = default;

std::string MetricsPage::Text() const {
  const prometheus::TextSerializer serializer;
  return serializer.Serialize(registry_->Collect());
}

SeriesSet::SeriesSet(MetricsPage& page, Labels common) : page_(page), common_(std::move(common)) {}

SeriesSet::~SeriesSet() {
  for (absl::AnyInvocable<void()>& removal : removals_) removal();
}

// The registry finds a family that it has already by its name.
template <typename Builder, typename... Args>
auto* SeriesSet::Add(Builder builder, const char* name, const char* help, Labels labels, const Args&... args) {
  auto& family = builder.Name(name).Help(help).Register(*page_.registry_);
  labels.insert(common_.begin(), common_.end());
  auto* const metric = &family.Add(labels, args...);
  removals_.push_back([&family, metric] { family.Remove(metric); });
  return metric;
}

prometheus::Counter* SeriesSet::Counter(const char* name, const char* help, Labels labels) {
  return Add(prometheus::BuildCounter(), name, help, std::move(labels));
}

prometheus::Gauge* SeriesSet::Gauge(const char* name, const char* help, Labels labels) {
  return Add(prometheus::BuildGauge(), name, help, std::move(labels));
}

prometheus::Histogram* SeriesSet::Histogram(const char* name, const char* help, const std::vector<double>& boundaries,
                                            Labels labels) {
  return Add(prometheus::BuildHistogram(), name, help, std::move(labels), boundaries);
}

prometheus::Counter* SeriesSet::Requests(const std::string& outcome) {
  return Counter("anybit_requests_total",
                 "Requests that ended, by how they ended. Those without a version ended before they had one.",
                 {{"outcome", outcome}});
}

prometheus::Counter* SeriesSet::Shed(const std::string& reason) {
  return Counter("anybit_shed_requests_total",
                 "Requests of the outcome shed, by why. Those without a version were refused before they had one.",
                 {{"reason", reason}});
}

}  // namespace anybit::metrics
