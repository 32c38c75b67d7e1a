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
function totalsBy(reading, name, label, where = {}) {
  const totals = new Map();
  for (const {labels, value} of seriesOf(reading, name, where)) {
    totals.set(labels[label], (totals.get(labels[label]) || 0) + value);
  }
  return totals;
}

// A quantile of a histogram between two readings, or null where nothing was observed. As Prometheus does, it takes the
// observations of a bucket to be spread evenly; those beyond the last border count as the border.
function quantile(before, now, name, share, where = {}) {
  const counts = totalsBy(now, `${name}_bucket`, 'le', where);
  for (const [border, count] of totalsBy(before, `${name}_bucket`, 'le', where)) {
    counts.set(border, (counts.get(border) || 0) - count);
  }
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

// How much a counter grew, at least 0: a server that was started again counts from 0.
function growth(before, now, name, where = {}) {
  return Math.max(0, total(now, name, where) - total(before, name, where));
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
  for (const [point, rows] of totalsBy(now, 'anybit_rows_total', 'operating_point')) {
    points.set(point, Math.max(0, rows - total(before, 'anybit_rows_total', {operating_point: point})) / seconds);
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
  for (const name of totalsBy(now, 'anybit_slo_requests_total', 'sla_class').keys()) {
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
