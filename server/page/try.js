// The box in which one draws or chooses an image and sees how the server answers it. Only where the server offers it.

const pad = element('pad');
const ink = pad.getContext('2d', {willReadFrequently: true});

function clearPad() {
  ink.fillStyle = '#000';
  ink.fillRect(0, 0, pad.width, pad.height);
}

function drawTo(event) {
  const box = pad.getBoundingClientRect();
  const x = (event.clientX - box.left) * pad.width / box.width;
  const y = (event.clientY - box.top) * pad.height / box.height;
  if (event.type === 'pointerdown') {
    pad.setPointerCapture(event.pointerId);
    ink.beginPath();
    ink.moveTo(x, y);
  }
  ink.lineTo(x, y);
  ink.stroke();
}

// As large as fits, in the middle.
async function showImage(file) {
  const image = await createImageBitmap(file);
  const scale = Math.min(pad.width / image.width, pad.height / image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  clearPad();
  ink.drawImage(image, (pad.width - width) / 2, (pad.height - height) / 2, width, height);
}

// The pad as a row of the model's input: height x width x channels bytes, grey or red, green and blue.
function rowOf([height, width, channels], invert) {
  const small = document.createElement('canvas');
  [small.width, small.height] = [width, height];
  const context = small.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(pad, 0, 0, width, height);
  const {data} = context.getImageData(0, 0, width, height);
  const row = [];
  for (let i = 0; i < data.length; i += 4) {
    const colors = [data[i], data[i + 1], data[i + 2]].map((c) => (invert ? 255 - c : c));
    if (channels === 3) row.push(...colors);
    else row.push(Math.round(0.299 * colors[0] + 0.587 * colors[1] + 0.114 * colors[2]));
  }
  return row;
}

function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

function labelsOf(model) {
  try {
    return JSON.parse(model.properties.labels_json);
  } catch (error) {
    return [];
  }
}

function showRanking(logits) {
  const labels = labelsOf(page.model);
  const ranked = softmax(logits).map((share, i) => ({share, label: labels[i] || `class ${i}`}));
  ranked.sort((a, b) => b.share - a.share);
  element('label').textContent = ranked[0].label;
  element('ranking').replaceChildren(...ranked.slice(0, 4).map(({share, label}) => {
    const line = document.createElement('li');
    const [name, meter, number] = ['span', 'meter', 'span'].map((tag) => document.createElement(tag));
    name.textContent = label;
    meter.value = share;
    number.textContent = percent(share, 1);
    line.append(name, meter, number);
    return line;
  }));
}

function showServedAs(parameters, seconds) {
  const parts = [parameters.operating_point && `operating point ${parameters.operating_point}`,
    parameters.expected_accuracy_bp && `expected accuracy ${percent(parameters.expected_accuracy_bp / 1e4)}`,
    parameters.queue_us !== undefined && `queue ${milliseconds(parameters.queue_us / 1e6)}`,
    parameters.compute_us !== undefined && `compute ${milliseconds(parameters.compute_us / 1e6)}`,
    `seen here after ${milliseconds(seconds)}`];
  element('served-as').textContent = parts.filter(Boolean).join(' · ');
}

async function classify() {
  const [input] = page.model.inputs;
  const shape = input.shape.slice(1);
  const parameters = {timeout: Math.round(1000 * Number(element('deadline').value))};
  if (element('pin').value) parameters.operating_point = element('pin').value;
  const body = JSON.stringify({parameters, inputs: [{name: input.name, datatype: input.datatype, shape: [1, ...shape],
    data: rowOf(shape, element('invert').checked)}]});
  const begin = performance.now();
  const answer = await ask(`v2/models/${encodeURIComponent(page.model.name)}/infer`, {method: 'POST', body});
  const seconds = (performance.now() - begin) / 1000;
  const result = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status}: ${result.error}`);
  showRanking(result.outputs[0].data);
  showServedAs(result.parameters || {}, seconds);
}

async function tryIt(event) {
  event.preventDefault();
  element('try-error').textContent = '';
  try {
    await classify();
  } catch (error) {
    element('label').textContent = '–';
    element('ranking').replaceChildren();
    element('served-as').textContent = '';
    element('try-error').textContent = error.message;
  }
}

// Once the model is known: only images of one or three channels can be drawn.
function offer() {
  const {inputs, properties} = page.model;
  const shape = inputs[0].shape.slice(1);
  if (inputs.length !== 1 || inputs[0].datatype !== 'UINT8' || shape.length !== 3 || ![1, 3].includes(shape[2])) return;
  for (const point of (properties.operating_points || '').split(',').filter(Boolean)) {
    element('pin').append(new Option(point, point));
  }
  clearPad();
  Object.assign(ink, {strokeStyle: '#fff', lineWidth: 22, lineCap: 'round', lineJoin: 'round'});
  element('try').hidden = false;
}

if (document.body.dataset.try === 'on') {
  document.addEventListener('model', offer, {once: true});
  pad.addEventListener('pointerdown', drawTo);
  pad.addEventListener('pointermove', (event) => { if (event.buttons & 1) drawTo(event); });
  element('clear').addEventListener('click', clearPad);
  element('upload').addEventListener('change', () => {
    const [file] = element('upload').files;
    if (!file) return;
    showImage(file).catch(() => { element('try-error').textContent = 'this file is no image that the browser reads'; });
  });
  element('try-form').addEventListener('submit', tryIt);
}
