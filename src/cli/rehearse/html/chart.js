// How many nodes are updated and unavailable over time, with the stages behind.

const SVG = "http://www.w3.org/2000/svg";

// The chart's own units; the style stretches them over the slider's width.
const WIDE = 1000;
const HIGH = 100;

// A name in less than this share of the width would be a letter or two.
const NARROW = 0.03;

// Above the highest point there is room for the name of the line.
const HEADROOM = 36;

// An element with a class and text. Text never becomes markup.
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// `Baking canary`, and `Canary` alone where the stage has the same name.
function nameOfStage({ progress, stage }) {
  return stage && stage !== progress.toLowerCase() ? `${progress} ${stage}` : progress;
}

class Chart {
  constructor(place, replay, seek) {
    this.place = place;
    this.end = Math.max(replay.end, 1);
    const { stages, figures } = replay.report;
    const bands = stages.map((stage, at) => this.band(stage, stages[at + 1]?.from ?? replay.end));
    const points = replay.series();
    this.cursor = element("div", "cursor");
    this.names = { updated: element("span", "name"), unavailable: element("span", "name") };
    this.most = {};
    place.append(
      this.track("stages", bands),
      this.plot("updated", points, bands, replay),
      this.plot("unavailable", points, bands, replay),
      this.cursor,
    );
    place.setAttribute("role", "img");
    const most = `at most ${figures.mostUnavailable} unavailable at once`;
    place.setAttribute(
      "aria-label",
      `Updated and unavailable nodes over time: ${figures.updated} of ${figures.nodes} updated at the end, ${most}`,
    );
    this.followPointer(seek);
  }

  band(stage, until) {
    return { name: nameOfStage(stage), from: stage.from, until };
  }

  share(time) {
    return time / this.end;
  }

  // The names of the stages, each as wide as it takes. There is no room for the prefix of a label.
  track(className, bands) {
    const track = element("div", className);
    for (const band of bands) {
      const share = this.share(band.until - band.from);
      const label = element("span", "", share < NARROW ? "" : band.name.replace(/\S+\//, ""));
      label.title = `${band.name}, from ${lengthOf(band.from)} to ${lengthOf(band.until)}`;
      label.style.left = `${100 * this.share(band.from)}%`;
      label.style.width = `${100 * share}%`;
      track.append(label);
    }
    return track;
  }

  // One line of its own height: a few unavailable nodes of thousands are to be seen.
  plot(name, points, bands, replay) {
    const most = points.reduce((most, point) => Math.max(most, point[name]), 0);
    const svg = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none" });
    const x = (time) => (WIDE * this.share(time)).toFixed(2);
    const y = (number) => (HIGH - (HIGH - HEADROOM) * (number / Math.max(most, 1))).toFixed(2);
    bands.forEach((band, at) => {
      const wide = WIDE * this.share(band.until - band.from);
      const kind = at % 2 ? "band odd" : "band";
      svg.append(shape("rect", { class: kind, x: x(band.from), y: 0, width: wide, height: HIGH }));
    });
    // A number holds until it changes: the line goes along, then up or down.
    const steps = points.map((point, at) => `${at ? `H${x(point.time)}V` : "M0 "}${y(point[name])}`);
    const line = `${steps.join("")}H${x(replay.end)}`;
    svg.append(shape("path", { class: "area", d: `${line}V${HIGH}H0Z` }));
    svg.append(shape("path", { class: "line", d: line }));
    const plot = element("div", `plot ${name}`);
    this.most[name] = most;
    plot.append(svg, this.names[name]);
    return plot;
  }

  followPointer(seek) {
    const follow = (event) => {
      const { left, width } = this.place.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
      seek(Math.round(share * this.end));
    };
    this.place.addEventListener("pointerdown", (event) => {
      this.place.setPointerCapture(event.pointerId);
      follow(event);
    });
    this.place.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) follow(event);
    });
  }

  show(time, now) {
    this.cursor.style.left = `${100 * this.share(time)}%`;
    for (const [name, place] of Object.entries(this.names)) {
      place.textContent = `${name}: ${now[name]}, at most ${this.most[name]}`;
    }
  }
}
