// What must be true of the log of every job, whatever has happened to its server.
import { TERMINAL } from "./server.js";

/**
 * Follows the log of a finished job, and holds it against its snapshot. Returns what is wrong, and each run's
 * beginning and end.
 * @param {{seq: number, prev: number, type: string, time: string, attempt: number, state?: string, data?: any}[]} log
 */
export function told(job, log) {
  const wrong = [], runs = [];
  const expect = (what, got, want) => {
    if (got !== want) wrong.push(`${job.id}: ${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
  };
  let state = "", attempt = 0, lost = 0, failures = 0, due = 0, before = 0;
  log.forEach((event, i) => {
    const name = event.type.replace("job.", "");
    const at = `event ${i + 1} (${event.type})`;
    expect(`${at}: seq`, event.seq, i + 1);
    expect(`${at}: prev`, event.prev, i);
    const time = Date.parse(event.time);
    if (time < before) wrong.push(`${job.id}: ${at}: is earlier than the one before it`);
    before = time;
    if (TERMINAL.includes(state)) wrong.push(`${job.id}: ${at}: comes after the terminal event`);
    const endRun = () => {
      if (runs.length > 0) runs.at(-1).end ??= time;
    };
    switch (name) {
      case "scheduled":
        expect(`${at}: after`, state, "");
        due = Date.parse(event.data.runAt);
        state = "scheduled";
        break;
      case "queued":
        if (state === "scheduled" && time < due) wrong.push(`${job.id}: ${at}: is ${due - time} ms early`);
        if (state === "running") {
          endRun();
          if (/is gone/.test(event.data?.reason)) lost++;
          else attempt--; // it was handed back
        } else if (state !== "" && state !== "scheduled") wrong.push(`${job.id}: ${at}: comes after ${state}`);
        state = "queued";
        break;
      case "started":
        expect(`${at}: after`, state, "queued");
        attempt++;
        runs.push({ start: time });
        state = "running";
        break;
      case "retrying":
        expect(`${at}: after`, state, "running");
        endRun();
        failures++;
        due = Date.parse(event.data.runAt);
        state = "scheduled";
        break;
      case "completed":
      case "failed":
        expect(`${at}: after`, state, "running");
        endRun();
        state = name;
        break;
      case "cancelled":
        endRun();
        state = name;
        break;
      default:
        expect(`${at}: while`, state, "running");
    }
    expect(`${at}: attempt`, event.attempt, attempt);
  });
  if (!TERMINAL.includes(state)) wrong.push(`${job.id}: the log does not end: ${log.at(-1)?.type}`);
  expect("state", job.state, state);
  expect("seq", job.seq, log.length);
  expect("attempt", job.attempt, attempt);
  expect("lost", job.lost ?? 0, lost);
  if (failures >= job.maxAttempts) wrong.push(`${job.id}: ${failures} attempts have failed and there was another, of ${job.maxAttempts}`);
  if (state === "failed" && job.error.type === "worker_lost") expect("workers lost before the last", lost, 2);
  else if (state === "failed") expect("attempts that failed", failures + 1, job.maxAttempts);
  return { wrong, runs };
}

/** The pairs of runs of one key that were under way at once. */
export function overlaps(runs) {
  const sorted = runs.toSorted((a, b) => a.start - b.start || a.end - b.end);
  return sorted.slice(1).filter((run, i) => run.start < sorted[i].end).length;
}
