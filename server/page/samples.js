// From the text of /metrics to numbers: a reading has all series; two readings give what happened between them.

// Series by name; each has its labels and its value.
function parseMetrics(text) {
  const reading = new Map();
  for (const line of text.split('\n')) {
    const parts = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!parts) continue;
    const labels = {};
    for (const label of (parts[2] || '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[label[1]] = label[2].replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    }
    const value = parts[3] === '+Inf' ? Infinity : Number(parts[3]);
    if (!reading.has(parts[1])) reading.set(parts[1], []);
    reading.get(parts[1]).push({labels, value});
  }
  return reading;
}

// The series of a name with these labels, whatever their other labels are.
function seriesOf(reading, name, where = {}) {
  const all = reading.get(name) || [];
  return all.filter(({labels}) => Object.entries(where).every(([label, value]) => labels[label] === value));
}

function total(reading, name, where = {}) {
  return seriesOf(reading, name, where).reduce((sum, {value}) => sum + value, 0);
}

// Sums by the value of one label, in the order in which the values come.
function sumBy(series, label) {
  const sums = new Map();
  for (const {labels, value} of series) sums.set(labels[label], (sums.get(labels[label]) || 0) + value);
  return sums;
}

// The series of a counter and by how much each has grown between two readings. Each counts by itself: those of a
// version that has ended are gone, those of a new one begin at 0. One that fell, as after a restart, has not grown.
function grownSeries(before, now, name, where = {}) {
  const keyOf = (labels) => JSON.stringify(Object.entries(labels).sort());
  const old = new Map(seriesOf(before, name, where).map(({labels, value}) => [keyOf(labels), value]));
  return seriesOf(now, name, where).map(({labels, value}) => (
    {labels, value: Math.max(0, value - (old.get(keyOf(labels)) || 0))}));
}

// A quantile of a histogram between two readings, or null where nothing was observed. As Prometheus does, it takes the
// observations of a bucket to be spread evenly; those beyond the last border count as the border.
function quantile(before, now, name, share, where = {}) {
  const counts = sumBy(grownSeries(before, now, `${name}_bucket`, where), 'le');
  const buckets = [...counts].map(([border, count]) => [border === '+Inf' ? Infinity : Number(border), count]);
  buckets.sort((a, b) => a[0] - b[0]);
  if (buckets.length === 0) return null;
  const rank = share * buckets[buckets.length - 1][1];
  if (!(rank > 0)) return null;
  let low = 0;
  let below = 0;
  for (const [border, count] of buckets) {
    if (count >= rank) return border === Infinity ? low : low + (border - low) * (rank - below) / (count - below);
    low = border;
    below = count;
  }
  return low;
}

function growth(before, now, name, where = {}) {
  return grownSeries(before, now, name, where).reduce((sum, {value}) => sum + value, 0);
}

// The mean of what a histogram observed between two readings, or null.
function meanBetween(before, now, name) {
  const count = growth(before, now, `${name}_count`);
  return count > 0 ? growth(before, now, `${name}_sum`) / count : null;
}

const REFUSED = ['shed', 'expired'];
const FAILED = ['failed', 'invalid', 'unavailable', 'cancelled'];

// What happened between two readings that are `seconds` apart.
function summarize(before, now, seconds) {
  const requests = (outcome) => growth(before, now, 'anybit_requests_total', {outcome}) / seconds;
  const sum = (outcomes) => outcomes.reduce((rate, outcome) => rate + requests(outcome), 0);
  const met = growth(before, now, 'anybit_slo_requests_total', {met: 'true'});
  const missed = growth(before, now, 'anybit_slo_requests_total', {met: 'false'});
  const latency = (share) => quantile(before, now, 'anybit_request_duration_seconds', share);
  const points = new Map();
  for (const [point, rows] of sumBy(grownSeries(before, now, 'anybit_rows_total'), 'operating_point')) {
    points.set(point, rows / seconds);
  }
  const accuracy = meanBetween(before, now, 'anybit_served_accuracy_ratio');
  const deficit = meanBetween(before, now, 'anybit_accuracy_deficit_ratio');
  return {
    served: requests('served'), refused: sum(REFUSED), failed: sum(FAILED),
    attainment: met + missed > 0 ? met / (met + missed) : null,
    p50: latency(0.5), p90: latency(0.9), p99: latency(0.99),
    points, accuracy, best: accuracy === null ? null : accuracy + (deficit || 0),
    queue: total(now, 'anybit_queue_requests'),
  };
}

// One row for each SLA class.
function summarizeClasses(before, now, seconds) {
  const rows = [];
  for (const name of sumBy(seriesOf(now, 'anybit_slo_requests_total'), 'sla_class').keys()) {
    const where = {sla_class: name};
    const met = growth(before, now, 'anybit_slo_requests_total', {...where, met: 'true'});
    const missed = growth(before, now, 'anybit_slo_requests_total', {...where, met: 'false'});
    const latency = (share) => quantile(before, now, 'anybit_request_duration_seconds', share, where);
    rows.push({
      name, rate: growth(before, now, 'anybit_request_duration_seconds_count', where) / seconds,
      attainment: met + missed > 0 ? met / (met + missed) : null, p50: latency(0.5), p99: latency(0.99),
    });
  }
  return rows;
}
