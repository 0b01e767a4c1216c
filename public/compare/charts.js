// The two charts: a line for each transport, a point a second, the last two minutes.
import { LINES } from './lines.js';

const SECONDS = 120; // that are drawn at the most
const SECONDS_LEAST = 30;
const HEIGHT = 260;

/** The colour of a line, from the stylesheet, which has others for dark. */
export const colour = (key) => getComputedStyle(document.documentElement).getPropertyValue(`--line-${key}`).trim();
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * A chart in `place`. `log` draws powers of ten, `value` writes a number of the axis.
 */
export function chart(place, { log = false, value }) {
  const data = [[], ...LINES.map(() => [])];
  const font = '12px ui-sans-serif, system-ui, sans-serif';
  const axis = (more) => ({
    stroke: () => ink('--faint'),
    font,
    grid: { stroke: () => ink('--line'), width: 1 },
    ticks: { show: false },
    ...more,
  });
  // eslint-disable-next-line no-undef
  const plot = new uPlot({
    width: Math.max(200, place.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 }, y: false },
    focus: { alpha: 0.15 },
    padding: [12, 18, 0, 0],
    scales: {
      x: { time: false, range: (_, min, max) => [max - Math.min(SECONDS, Math.max(SECONDS_LEAST, max - min)), max] },
      y: log
        ? { distr: 3, log: 10, range: (_, min, max) => decades(min, max) }
        : { range: (_, __, max) => [0, (max || 1) * 1.08] },
    },
    axes: [
      axis({ splits: (_, __, min, max) => backwards(min, max), values: (u, ticks) => ticks.map((t) => ago(u.scales.x.max - t)), size: 34, gap: 10, grid: { show: false } }),
      axis({ values: (_, ticks) => ticks.map(value), size: 64, gap: 8, space: 44, ...(log && { splits: (_, __, min, max) => powers(min, max) }) }),
    ],
    series: [{}, ...LINES.map(({ key }) => ({
      stroke: () => colour(key),
      width: 2,
      spanGaps: true,
      points: { show: false },
    }))],
  }, data, place);
  const seen = new ResizeObserver(() => {
    if (place.clientWidth) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  });
  seen.observe(place);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot.redraw(false));
  return {
    /** Adds a second: values in the order of LINES, null where there is none. */
    add(second, values) {
      data[0].push(second);
      values.forEach((v, i) => data[i + 1].push(v));
      while (data[0][0] < second - SECONDS - 1) for (const column of data) column.shift();
      plot.setData(data);
    },
    replace(seconds, columns) {
      data[0] = [...seconds];
      columns.forEach((column, i) => { data[i + 1] = [...column]; });
      plot.setData(data);
    },
    /** Fades all lines but this one; null shows all. */
    focus(key) {
      const index = LINES.findIndex((line) => line.key === key);
      plot.setSeries(index < 0 ? null : index + 1, { focus: true });
    },
    /** How many points each line has; for the tests. */
    get points() { return data.slice(1).map((column) => column.filter((v) => v !== null).length); },
  };
}

/** The powers of ten from min to max. */
function powers(min, max) {
  const first = Math.round(Math.log10(min));
  return Array.from({ length: Math.round(Math.log10(max)) - first + 1 }, (_, i) => Number((10 ** (first + i)).toPrecision(1)));
}
/** Round times from the end back to the beginning. */
function backwards(min, max) {
  const step = max - min > 60 ? 30 : 10;
  return Array.from({ length: Math.floor((max - min) / step) + 1 }, (_, i) => max - i * step).reverse();
}

const ago = (s) => (s < 1 ? 'now' : `−${s} s`);

function decades(min, max) {
  if (!(min > 0) || !(max > 0)) return [0.1, 1000];
  return [10 ** Math.floor(Math.log10(min)), 10 ** Math.ceil(Math.log10(max * 1.02))];
}
