// What came in over one line, and how late. Pure data: nothing here draws.

const WINDOW_MS = 30_000; // of the table's figures
const KEPT_NUMBERS = 50_000;

/** The value below which a share of the sorted list lies (nearest rank). */
export const quantile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];

export class Track {
  constructor(key) {
    this.key = key;
    this.live = false;
    this.numbers = []; // of every event, in the order they came
    this.reset();
    this.last = 0;
    this.lost = 0;
    this.doubled = 0;
  }

  /** Forgets the delays, because the settings are others now. */
  reset() {
    this.delays = []; // {t, ms} of the window
    this.fresh = []; // ms since the last call of second()
    this.traffic = []; // {t, requests, in, out, last} as read from the server
  }

  /** Takes one event that came at t; ms is undefined where its delay says nothing. */
  take({ n }, t, ms) {
    if (n <= this.last) this.doubled++;
    else if (n > this.last + 1) this.lost += n - this.last - 1;
    this.last = Math.max(this.last, n);
    if (this.numbers.length < KEPT_NUMBERS) this.numbers.push(n);
    if (ms === undefined) return;
    this.delays.push({ t, ms });
    this.fresh.push(ms);
  }

  /** Takes the server's counters at t. */
  count(t, traffic, last) {
    this.traffic.push({ t, ...traffic, last });
    while (this.traffic.length > 2 && this.traffic[1].t < t - WINDOW_MS) this.traffic.shift();
    while (this.delays.length && this.delays[0].t < t - WINDOW_MS) this.delays.shift();
  }

  /** The delays since it was last asked. */
  second() {
    const sorted = this.fresh.sort((a, b) => a - b);
    this.fresh = [];
    return { median: quantile(sorted, 0.5) ?? null, worst: quantile(sorted, 0.99) ?? null };
  }

  /** Bytes a minute between the last two readings, or null. */
  get bytesNow() {
    const [a, b] = this.traffic.slice(-2);
    if (!b?.counted || b.t <= a.t) return null;
    return ((b.in + b.out - a.in - a.out) / (b.t - a.t)) * 60_000;
  }

  /** The figures of the window; those that are not known yet are null. */
  get figures() {
    const sorted = this.delays.map((d) => d.ms).sort((a, b) => a - b);
    const out = { count: sorted.length, median: quantile(sorted, 0.5) ?? null, worst: quantile(sorted, 0.99) ?? null, requests: null, bytes: null, perEvent: null };
    const first = this.traffic[0];
    const last = this.traffic.at(-1);
    if (!first || last.t - first.t < 1500) return out;
    const aMinute = 60_000 / (last.t - first.t);
    const bytes = last.in + last.out - first.in - first.out;
    out.requests = (last.requests - first.requests) * aMinute;
    if (!last.counted) return out;
    out.bytes = bytes * aMinute;
    if (last.last > first.last) out.perEvent = bytes / (last.last - first.last);
    return out;
  }
}
