// The page: the slider and everything that follows it.

const byId = (id) => document.getElementById(id);

// How long it takes to play all of it.
const PLAY_MILLISECONDS = 20_000;

// With less motion it goes in so many steps.
const CALM_STEPS = 20;

class Page {
  constructor(report) {
    this.report = report;
    this.began = Date.parse(report.began);
    this.replay = new Replay(report);
    this.touched = new Set();
    this.chart = new Chart(byId("chart"), this.replay, (time) => this.goTo(time));
    this.grid = new Grid(byId("grid"), this.replay, (node) => this.choose(node));
    document.body.classList.add(this.grid.size);
    this.legend = this.drawLegend();
    this.eventItems = [...document.querySelectorAll("#events li")];
    this.slider = byId("slider");
    this.slider.max = this.replay.end;
    this.listen();
    for (const id of ["player", "nodes", "node"]) byId(id).hidden = false;
    this.seek(this.timeOfAddress() ?? 0);
  }

  // Goes where somebody wants to be, which ends the playing.
  goTo(time) {
    this.stop();
    this.seek(time);
  }

  // Goes to a time; what follows from it is shown with the next frame, once for many changes.
  seek(time) {
    const within = Math.min(Math.max(time, 0), this.replay.end);
    this.replay.seek(within, (node) => this.touched.add(node));
    this.slider.value = within;
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.show();
    });
  }

  show() {
    const { time } = this.replay;
    this.grid.show(this.touched);
    this.touched.clear();
    this.chart.show(time, this.replay.numbers(this.replay.counts));
    this.showClock(time);
    this.showCounts();
    this.showPast(time);
    this.keepAddress(time);
  }

  showClock(time) {
    const moment = new Date(this.began + 1000 * time).toISOString();
    const stage = this.replay.stage();
    const stageName = stage ? nameOfStage(stage) : "";
    byId("length").textContent = lengthOf(time);
    byId("moment").textContent = `${moment.slice(0, 10)} ${moment.slice(11, 19)} UTC`;
    byId("stage").textContent = stageName;
    this.slider.setAttribute("aria-valuetext", [lengthOf(time), stageName].filter(Boolean).join(", "));
  }

  // Only the states that occur; a count stands beside each.
  drawLegend() {
    const letters = new Set(this.replay.states);
    for (const change of this.replay.changes) letters.add(change.to);
    const legend = this.report.states.filter(({ letter }) => letters.has(letter));
    return legend.map(({ letter, meaning }) => {
      const count = element("b", "", "");
      const item = element("li", "");
      item.dataset.letter = letter;
      item.append(this.swatch(letter), count, element("span", "", meaning));
      byId("legend").append(item);
      return { letter, count };
    });
  }

  swatch(letter) {
    const swatch = element("span", "swatch", letter);
    swatch.dataset.state = letter;
    return swatch;
  }

  showCounts() {
    for (const { letter, count } of this.legend) {
      const text = String(this.replay.counts.of(letter));
      if (count.textContent !== text) count.textContent = text;
    }
  }

  // What is still to come is pale, among the events and in the history of the node.
  showPast(time) {
    this.report.events.forEach((event, at) => {
      this.eventItems[at].classList.toggle("later", event.after > time);
    });
    for (const item of byId("history").children) {
      item.classList.toggle("later", Number(item.dataset.time) > time);
    }
  }

  choose(node) {
    const { name, zone } = this.report.nodes[node];
    byId("node-name").textContent = zone ? `${name}, zone ${zone}` : name;
    const items = this.replay.history(node).map(({ time, to, begins }) => {
      const item = element("li", "");
      const link = element("a", "", begins ? "before" : lengthOf(time));
      link.href = `#t=${time}`;
      item.dataset.time = time;
      item.append(link, this.swatch(to), element("span", "", this.grid.meanings.get(to)));
      return item;
    });
    byId("history").replaceChildren(...items);
    this.showPast(this.replay.time);
  }

  step(what, way) {
    const times = what === "stage" ? this.replay.stageTimes : this.replay.moments;
    this.goTo(neighbour(times, this.replay.time, way));
  }

  listen() {
    this.slider.addEventListener("input", () => this.goTo(Number(this.slider.value)));
    // A second is a small step in a day, so arrows go from change to change.
    const keys = {
      ArrowLeft: ["change", -1],
      ArrowDown: ["change", -1],
      ArrowRight: ["change", 1],
      ArrowUp: ["change", 1],
      PageUp: ["stage", -1],
      PageDown: ["stage", 1],
    };
    this.slider.addEventListener("keydown", (event) => {
      if (!Object.hasOwn(keys, event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.step(...keys[event.key]);
    });
    for (const button of document.querySelectorAll("[data-step]")) {
      const { step, way } = button.dataset;
      button.addEventListener("click", () => this.step(step, Number(way)));
    }
    byId("play").addEventListener("click", () => (this.playing ? this.stop() : this.play()));
    byId("find").addEventListener("input", () => this.find());
    byId("find").addEventListener("keydown", (event) => {
      const [first] = event.key === "Enter" ? this.find() : [];
      if (first !== undefined) this.grid.select(first);
    });
    this.listenToLinks();
  }

  find() {
    const text = byId("find").value;
    const found = this.grid.find(text);
    byId("found").textContent = text.trim() ? `${found.length} found, Enter goes to the first` : "";
    return found;
  }

  // The address tells the time, as in #t=300. A click counts even where the address is that
  // already, which changes nothing in the browser's eyes.
  listenToLinks() {
    const follow = () => {
      const time = this.timeOfAddress();
      if (time !== undefined && time !== this.replay.time) this.goTo(time);
    };
    window.addEventListener("hashchange", follow);
    document.addEventListener("click", (event) => {
      const link = event.target.closest('a[href^="#t="]');
      if (!link) return;
      event.preventDefault();
      this.goTo(Number(link.hash.slice("#t=".length)));
    });
  }

  timeOfAddress() {
    const found = /^#t=(\d{1,10})$/.exec(location.hash);
    return found ? Number(found[1]) : undefined;
  }

  // Browsers refuse an address that changes all the time, so it follows when the slider rests.
  keepAddress(time) {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => history.replaceState(null, "", `#t=${time}`), 200);
  }

  // Plays from change to change, each as long as any other: a bake of hours passes at once.
  play() {
    const { moments, end } = this.replay;
    const from = this.replay.time < end ? moments.findIndex((time) => time >= this.replay.time) : 0;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let began;
    const next = (now) => {
      began ??= now;
      const gone = (now - began) / PLAY_MILLISECONDS;
      const step = calm ? Math.floor(gone * CALM_STEPS) / CALM_STEPS : gone;
      const at = from + Math.floor(step * moments.length);
      this.seek(moments[Math.min(at, moments.length - 1)]);
      if (this.replay.time < end) this.playing = requestAnimationFrame(next);
      else this.stop();
    };
    this.playing = requestAnimationFrame(next);
    byId("play").textContent = "Pause";
  }

  stop() {
    if (this.playing) cancelAnimationFrame(this.playing);
    this.playing = undefined;
    byId("play").textContent = "Play";
  }
}

new Page(JSON.parse(byId("data").textContent));
