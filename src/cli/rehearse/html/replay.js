// The states of the nodes at any time.

// The letter of nodes that have an available pod of the revision.
const UPDATED = "n";

// `45s`, `3m20s`, `2h05m` or `1d03h`: as the command has it.
function lengthOf(seconds) {
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  const two = (number) => String(number).padStart(2, "0");
  if (minutes === 0) return `${seconds}s`;
  if (hours === 0) return `${minutes}m${two(seconds % 60)}s`;
  if (days === 0) return `${hours}h${two(minutes % 60)}m`;
  return `${days}d${two(hours % 24)}h`;
}

// How many nodes have each letter.
class Counts {
  constructor() {
    this.by = new Map();
  }

  of(letter) {
    return this.by.get(letter) ?? 0;
  }

  add(letter, number) {
    this.by.set(letter, this.of(letter) + number);
  }

  // The sum over the states that `holds` says.
  where(states, holds) {
    let sum = 0;
    for (const state of states) if (holds(state)) sum += this.of(state.letter);
    return sum;
  }
}

const isUnavailable = (state) => state.wanted && !state.available;

// Each change is kept with the state that it ends, so the time can be walked both ways, and a step
// costs as much as what changes in it.
class Replay {
  constructor(report) {
    this.report = report;
    this.time = -1;
    this.applied = 0;
    this.states = report.nodes.map((node) => node.first);
    this.counts = new Counts();
    for (const letter of this.states) this.counts.add(letter, 1);

    const walked = [...this.states];
    this.changes = report.changes.map(([time, node, to]) => {
      const from = walked[node];
      walked[node] = to;
      return { time, node, from, to };
    });

    const { ending, events, stages } = report;
    const times = [
      [0, ending.after],
      stages.map((stage) => stage.from),
      events.map((event) => event.after),
      this.changes.map((change) => change.time),
    ];
    this.moments = [...new Set(times.flat())].sort((a, b) => a - b);
    this.end = this.moments.at(-1);
    this.stageTimes = [...new Set([0, ...stages.map((stage) => stage.from), this.end])];
  }

  // Goes to a time, and tells of every change on the way: the node, its state before and after.
  seek(time, tell) {
    while (this.applied < this.changes.length && this.changes[this.applied].time <= time) {
      const { node, from, to } = this.changes[this.applied++];
      this.turn(node, from, to, tell);
    }
    while (this.applied > 0 && this.changes[this.applied - 1].time > time) {
      const { node, from, to } = this.changes[--this.applied];
      this.turn(node, to, from, tell);
    }
    this.time = time;
  }

  turn(node, from, to, tell) {
    this.states[node] = to;
    this.counts.add(from, -1);
    this.counts.add(to, 1);
    tell(node, from, to);
  }

  // The stage at the present time, or undefined before the first one.
  stage() {
    return this.report.stages.findLast((stage) => stage.from <= this.time);
  }

  // What one node goes through, with the state that it begins with.
  history(node) {
    const begins = { time: 0, to: this.report.nodes[node].first, begins: true };
    return [begins, ...this.changes.filter((change) => change.node === node)];
  }

  numbers(counts) {
    const unavailable = counts.where(this.report.states, isUnavailable);
    return { updated: counts.of(UPDATED), unavailable };
  }

  // The numbers of the chart, one point for each time at which something changes.
  series() {
    const counts = new Counts();
    for (const node of this.report.nodes) counts.add(node.first, 1);
    const point = (time) => ({ time, ...this.numbers(counts) });
    const points = [point(0)];
    for (const { time, from, to } of this.changes) {
      counts.add(from, -1);
      counts.add(to, 1);
      if (points.at(-1).time === time) points.pop();
      points.push(point(time));
    }
    return points;
  }
}

// The first time of `times` after this one, or the last one before it; itself where there is none.
function neighbour(times, time, way) {
  const found = way > 0 ? times.find((t) => t > time) : times.findLast((t) => t < time);
  return found ?? time;
}
