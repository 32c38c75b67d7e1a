// The page of a server's Prometheus metrics, and the series that its parts add to it. No other classes of ours know
// Prometheus.
//
//   MetricsPage page;
//   ServerMetrics server(page, labels);
//   ServingMetrics version_3(page, labels);   // its series have the label version="3" and leave the page with it
//   page.Text();
//
// Every series is made in a constructor, from labels that configuration and artifact fix: no client can add one, and
// a rate over a series that has not moved yet is 0, not absent.
#ifndef ANYBIT_METRICS_METRICS_PAGE_H_
#define ANYBIT_METRICS_METRICS_PAGE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace anybit::metrics {

using Labels = std::map<std::string, std::string>;

// All metrics of a server. Any thread.
class MetricsPage {
 public:
  MetricsPage();
  ~MetricsPage();

  // In Prometheus' text format, version 0.0.4.
  std::string Text() const;

 private:
  friend class SeriesSet;

  const std::unique_ptr<prometheus::Registry> registry_;
};

// Adds series to a page, and takes them away with itself. One thread.
class SeriesSet {
 public:
  // `page` outlives it. Each series gets the labels `common` besides its own; no other set of the page may have a
  // series of the same name and labels.
  explicit SeriesSet(MetricsPage& page, Labels common = {});
  ~SeriesSet();
  SeriesSet(const SeriesSet&) = delete;
  SeriesSet& operator=(const SeriesSet&) = delete;

  // Of a metric that is there already, by another set or for other labels, the text of help stays.
  prometheus::Counter* Counter(const char* name, const char* help, Labels labels = {});
  prometheus::Gauge* Gauge(const char* name, const char* help, Labels labels = {});
  prometheus::Histogram* Histogram(const char* name, const char* help, const std::vector<double>& boundaries,
                                   Labels labels = {});

  // anybit_requests_total, which the server counts for requests without a version, and each version for its own.
  prometheus::Counter* Requests(const std::string& outcome);
  // anybit_shed_requests_total, likewise.
  prometheus::Counter* Shed(const std::string& reason);

 private:
  template <typename Builder, typename... Args>
  auto* Add(Builder builder, const char* name, const char* help, Labels labels, const Args&... args);

  MetricsPage& page_;
  const Labels common_;
  std::vector<absl::AnyInvocable<void()>> removals_;
};

}  // namespace anybit::metrics

#endif  // ANYBIT_METRICS_METRICS_PAGE_H_
