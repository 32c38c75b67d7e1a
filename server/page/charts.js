// Small charts over time: each value has a place of its own, the newest at the right.

const CHART = {height: 180, left: 54, right: 14, top: 8, bottom: 22, places: 120};

function svgNode(name, attributes, parent, text) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

// Round numbers from `low` to `high`, about four of them; the first and the last enclose both.
function roundMarks(low, high) {
  if (!(high > low)) high = low + 1;
  const rough = (high - low) / 4;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((digit) => digit * decade).find((s) => s >= rough * (1 - 1e-9));
  const marks = [];
  for (let i = Math.floor(low / step + 1e-9); i <= Math.ceil(high / step - 1e-9); ++i) marks.push(i * step);
  return marks;
}

function decadeMarks(low, high) {
  const marks = [];
  for (let decade = Math.floor(Math.log10(low)); 10 ** decade <= high; ++decade) {
    for (const digit of high / low > 300 ? [1] : [1, 2, 5]) marks.push(digit * 10 ** decade);
  }
  return marks.filter((mark) => mark >= low && mark <= high);
}

function shortNumber(value) {
  if (Math.abs(value) >= 1e4) return `${Number((value / 1e3).toPrecision(4))}k`;
  return String(Number(value.toPrecision(4)));
}

// The best operating point is dark green, the cheapest red.
function shade(index, count) {
  const stops = [[22, 110, 82], [96, 170, 120], [232, 205, 130], [193, 102, 90]];
  const place = count < 2 ? 0 : 3 * index / (count - 1);
  const stop = Math.min(2, Math.floor(place));
  const mixed = stops[stop].map((c, i) => Math.round(c + (stops[stop + 1][i] - c) * (place - stop)));
  return `rgb(${mixed.join(' ')})`;
}

// Draws into `holder`. `series` have name, color, values (null: none) and shown, the text in the legend; `axis` has
// marks, unit and, if equal ratios are to be equally far apart, logarithmic; `levels` are dashed lines with name and
// value. With `stacked` each series stands on top of those before it.
function drawChart(holder, {series, axis, levels = [], stacked = false}) {
  const {height, left, right, top, bottom, places} = CHART;
  const width = Math.max(240, holder.clientWidth);
  const low = axis.marks[0];
  const high = axis.marks[axis.marks.length - 1];
  const x = (i, length) => left + (width - left - right) * (places - length + i) / (places - 1);
  const share = (v) => (axis.logarithmic ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low));
  const y = (v) => top + (height - top - bottom) * (1 - share(Math.min(high, Math.max(low, v))));
  const svg = svgNode('svg', {width, height, viewBox: `0 0 ${width} ${height}`, role: 'img'});
  for (const mark of axis.marks) {
    svgNode('line', {class: 'grid', x1: left, x2: width - right, y1: y(mark), y2: y(mark)}, svg);
    svgNode('text', {x: left - 6, y: y(mark) + 4, 'text-anchor': 'end'}, svg, shortNumber(mark) + axis.unit);
  }
  for (let seconds = 0; seconds < places; seconds += 30) {
    const anchor = seconds === 0 ? 'end' : 'middle';
    const place = x(places - 1 - seconds, places);
    svgNode('text', {x: place, y: height - 4, 'text-anchor': anchor}, svg, seconds === 0 ? 'now' : `−${seconds} s`);
  }
  const floor = [];
  for (const {color, values} of series) {
    if (stacked) {
      const upper = values.map((v, i) => `${x(i, values.length)},${y((floor[i] || 0) + (v || 0))}`);
      const lower = values.map((_, i) => `${x(i, values.length)},${y(floor[i] || 0)}`).reverse();
      values.forEach((v, i) => { floor[i] = (floor[i] || 0) + (v || 0); });
      svgNode('polygon', {points: [...upper, ...lower].join(' ')}, svg).style.fill = color;
      continue;
    }
    // A value that is not there interrupts the line; one that stands alone is a dot.
    let path = '';
    values.forEach((v, i) => {
      if (v === null) return;
      const begins = i === 0 || values[i - 1] === null;
      path += `${begins ? 'M' : 'L'}${x(i, values.length)} ${y(v)}${begins ? 'h.01' : ''}`;
    });
    const line = svgNode('path', {d: path, fill: 'none', 'stroke-width': 1.8, 'stroke-linecap': 'round'}, svg);
    line.style.stroke = color;
  }
  for (const {name, value} of levels) {
    const line = svgNode('line', {x1: left, x2: width - right, y1: y(value), y2: y(value)}, svg);
    line.setAttribute('stroke-dasharray', '5 3');
    line.style.stroke = 'var(--bad)';
    svgNode('text', {x: left + 4, y: y(value) - 3}, svg, name);
  }
  const legend = document.createElement('ul');
  legend.className = 'legend';
  for (const {name, color, shown} of series) {
    const entry = document.createElement('li');
    const mark = document.createElement('i');
    mark.style.background = color;
    entry.append(mark, shown === undefined ? name : `${name} ${shown}`);
    legend.append(entry);
  }
  holder.replaceChildren(legend, svg);
}
