// Reads /metrics once a second and shows what happened. Nothing on the server changes by it.

const PERIOD_MS = 1000;
const RECENT_MS = 10000;

const page = {
  token: '',
  model: null,       // its description, once it is known
  versions: '',      // that were served when it was asked for
  objectives: [],    // of classes that have one: name and ms
  readings: [],      // of the last ten seconds
  samples: [],       // for the charts
};

const element = (id) => document.getElementById(id);
const percent = (share, digits = 2) => (share === null ? '–' : `${(100 * share).toFixed(digits)} %`);
const milliseconds = (seconds) => {
  if (seconds === null) return '–';
  const ms = 1000 * seconds;
  return ms < 10 ? `${ms.toFixed(2)} ms` : ms < 1000 ? `${ms.toFixed(1)} ms` : `${seconds.toFixed(2)} s`;
};

// Asks this server. Addresses are relative, so that the page works behind a proxy's path, too.
async function ask(path, options = {}) {
  const headers = {...options.headers};
  if (page.token) headers.Authorization = `Bearer ${page.token}`;
  const answer = await fetch(path, {...options, headers, cache: 'no-store'});
  if (answer.status === 401) askForToken();
  return answer;
}

function askForToken() {
  element('token-form').hidden = false;
  element('token-error').textContent = page.token ? 'the server does not know this token' : '';
  showState('token needed', 'bad');
}

function showState(text, kind) {
  const state = element('state');
  state.textContent = text;
  state.className = `pill ${kind}`;
}

async function learnModel() {
  const index = await ask('v2/repository/index', {method: 'POST', body: '{}'});
  if (!index.ok) return;
  const [{name}] = await index.json();
  const answer = await ask(`v2/models/${encodeURIComponent(name)}`);
  if (!answer.ok) return;
  page.model = await answer.json();
  const properties = page.model.properties || {};
  page.objectives = Object.entries(properties).flatMap(([key, value]) => {
    const name = /^sla_class\.(.*)\.objective_us$/.exec(key);
    return name && Number(value) > 0 ? [{name: name[1], ms: Number(value) / 1000}] : [];
  });
  document.dispatchEvent(new Event('model'));
}

function showTiles(sample, now) {
  element('throughput').textContent = sample.served.toFixed(sample.served < 100 ? 1 : 0);
  element('attainment').textContent = percent(sample.attainment);
  element('p99').textContent = milliseconds(sample.p99);
  const [point, rows] = [...sample.points].reduce((a, b) => (b[1] > a[1] ? b : a), ['–', 0]);
  element('point').textContent = rows > 0 ? point : '–';
  element('accuracy').textContent = percent(sample.accuracy);
  const [confirmed, compared] = [{agrees: 'true'}, {}].map((where) => total(now, 'anybit_live_rows_total', where));
  element('agreement').textContent = percent(compared > 0 ? confirmed / compared : null);
  element('queue').textContent = shortNumber(sample.queue);
  element('served').textContent = String(total(now, 'anybit_requests_total', {outcome: 'served'}));
}

function versionsOf(reading) {
  return seriesOf(reading, 'anybit_model_info').map(({labels}) => labels.version).join(', ');
}

function showFacts(now) {
  const build = seriesOf(now, 'anybit_build_info')[0];
  const [kernels] = seriesOf(now, 'anybit_model_info');
  if (kernels) element('model').textContent = `${kernels.labels.model} ${versionsOf(now)}`;
  const started = total(now, 'process_start_time_seconds');
  const minutes = Math.max(0, Math.floor((Date.now() / 1000 - started) / 60));
  const up = minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const memory = total(now, 'process_resident_memory_bytes') / 2 ** 20;
  const parts = [build && `version ${build.labels.version}`, kernels && kernels.labels.isa, started && `up ${up}`,
    memory && `${memory.toFixed(0)} MiB`];
  element('facts').textContent = parts.filter(Boolean).join(' · ');
}

function showClasses(rows) {
  const objective = new Map(page.objectives.map(({name, ms}) => [name, ms]));
  element('classes').replaceChildren(...rows.map((row) => {
    const line = document.createElement('tr');
    const ms = objective.get(row.name);
    for (const text of [row.name, row.rate.toFixed(1), percent(row.attainment), milliseconds(row.p50),
      milliseconds(row.p99), ms === undefined ? 'none' : `${ms} ms`]) {
      const cell = document.createElement('td');
      cell.textContent = text;
      line.append(cell);
    }
    if (row.attainment !== null && row.attainment < 0.99) line.children[2].className = 'bad';
    if (ms !== undefined && row.p99 !== null && 1000 * row.p99 > ms) line.children[4].className = 'bad';
    return line;
  }));
}

function showCharts(now) {
  const samples = page.samples;
  const last = samples[samples.length - 1];
  const values = (key) => samples.map((sample) => sample[key]);
  const rates = [['answered', 'served', '--good'], ['refused or expired', 'refused', '--refused'],
    ['failed', 'failed', '--bad']];
  drawChart(element('chart-outcomes'), {
    stacked: true,
    series: rates.map(([name, key, color]) => (
      {name, color: `var(${color})`, values: values(key), shown: shortNumber(Math.round(last[key]))})),
    axis: {marks: roundMarks(0, Math.max(1, ...samples.map((s) => s.served + s.refused + s.failed))), unit: ''},
  });
  const inMs = (key) => samples.map((sample) => (sample[key] === null ? null : 1000 * sample[key]));
  const latencies = [['p50', '--low'], ['p90', '--middle'], ['p99', '--high']];
  const known = [...latencies.flatMap(([key]) => inMs(key)).filter((v) => v !== null && v > 0),
    ...page.objectives.map(({ms}) => ms)];
  const decades = known.length ? [Math.min(...known), Math.max(...known)] : [1, 100];
  drawChart(element('chart-latency'), {
    series: latencies.map(([key, color]) => (
      {name: key, color: `var(${color})`, values: inMs(key), shown: milliseconds(last[key])})),
    axis: {marks: decadeMarks(10 ** Math.floor(Math.log10(decades[0])), 10 ** Math.ceil(Math.log10(1.2 * decades[1]))),
      unit: '', logarithmic: true},
    levels: page.objectives.map(({name, ms}) => ({name: `${name} ${ms} ms`, value: ms})),
  });
  // The most accurate point first.
  const accuracyOf = new Map(seriesOf(now, 'anybit_operating_point_accuracy_ratio')
    .map(({labels, value}) => [labels.operating_point, value]));
  const points = [...accuracyOf.keys()].sort((a, b) => accuracyOf.get(b) - accuracyOf.get(a));
  const shares = samples.map(({points: rows}) => {
    const all = [...rows.values()].reduce((a, b) => a + b, 0);
    return new Map(points.map((point) => [point, all > 0 ? 100 * (rows.get(point) || 0) / all : 0]));
  });
  drawChart(element('chart-points'), {
    stacked: true,
    series: points.map((point, i) => ({name: point, color: shade(i, points.length),
      values: shares.map((share) => share.get(point)), shown: `${shares.at(-1).get(point).toFixed(0)} %`})),
    axis: {marks: [0, 25, 50, 75, 100], unit: ' %'},
  });
  const accuracies = [['served', 'accuracy', '--good'], ['most accurate point', 'best', '--refused']];
  const inPercent = (key) => samples.map((sample) => (sample[key] === null ? null : 100 * sample[key]));
  const seen = accuracies.flatMap(([, key]) => inPercent(key)).filter((v) => v !== null);
  const [worst, best] = seen.length ? [Math.min(...seen), Math.max(...seen)] : [90, 100];
  drawChart(element('chart-accuracy'), {
    series: accuracies.map(([name, key, color]) => (
      {name, color: `var(${color})`, values: inPercent(key), shown: percent(last[key])})).reverse(),
    axis: {marks: roundMarks(worst - 0.2, Math.min(100, best + 0.2)), unit: ' %'},
  });
  drawChart(element('chart-queue'), {
    stacked: true,
    series: [{name: 'waiting', color: 'var(--low)', values: values('queue'), shown: shortNumber(last.queue)}],
    axis: {marks: roundMarks(0, Math.max(4, ...values('queue'))), unit: ''},
  });
}

function take(reading, at) {
  const last = page.readings.at(-1);
  page.readings.push({reading, at});
  while (at - page.readings[0].at > RECENT_MS + PERIOD_MS / 2) page.readings.shift();
  showFacts(reading);
  if (!last) return;
  page.samples.push(summarize(last.reading, reading, (at - last.at) / 1000));
  if (page.samples.length > CHART.places) page.samples.shift();
  const first = page.readings[0];
  showTiles(summarize(first.reading, reading, (at - first.at) / 1000), reading);
  showClasses(summarizeClasses(first.reading, reading, (at - first.at) / 1000));
  showCharts(reading);
}

async function poll() {
  try {
    const answer = await ask('metrics');
    if (answer.status === 401) return;
    const reading = parseMetrics(await answer.text());
    element('token-form').hidden = true;
    if (reading.size === 0) {
      showState('starting', '');
      return;
    }
    if (!page.model || page.versions !== versionsOf(reading)) await learnModel();
    page.versions = versionsOf(reading);
    take(reading, performance.now());
    const ready = total(reading, 'anybit_ready') > 0;
    showState(ready ? 'ready' : 'not ready', ready ? 'ready' : 'bad');
  } catch (error) {
    showState('unreachable', 'bad');
  }
}

async function watch() {
  // A page that nobody sees asks for nothing.
  if (!document.hidden) await poll();
  setTimeout(watch, PERIOD_MS);
}

element('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  page.token = element('token').value.trim();
  element('token').value = '';
  poll();
});
watch();
