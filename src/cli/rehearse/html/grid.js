// The nodes as cells by zone. One cell at a time is in the tab order, and arrows move from cell to
// cell.

// From so many nodes on the cells are smaller.
const MANY = 600;
const VERY_MANY = 2000;

class Grid {
  constructor(place, replay, choose) {
    this.place = place;
    this.replay = replay;
    this.choose = choose;
    this.meanings = new Map(replay.report.states.map((state) => [state.letter, state.meaning]));
    this.shown = [...replay.states];
    this.cells = [];
    this.zones = this.group();
    this.order = this.zones.flatMap((zone) => zone.nodes);
    this.size = this.order.length > VERY_MANY ? "tiny" : this.order.length > MANY ? "small" : "large";
    place.classList.add(this.size);
    place.append(...this.zones.map((zone) => this.draw(zone)));
    this.active = this.order[0];
    if (this.active !== undefined) this.cells[this.active].tabIndex = 0;
    this.listen();
  }

  group() {
    const byName = new Map();
    this.zoneOf = this.replay.report.nodes.map(({ zone: name }, node) => {
      if (!byName.has(name)) byName.set(name, { name, nodes: [], counts: new Counts() });
      const zone = byName.get(name);
      zone.nodes.push(node);
      zone.counts.add(this.shown[node], 1);
      return zone;
    });
    return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  draw(zone) {
    const group = element("div", "zone");
    group.setAttribute("role", "group");
    const title = zone.name || (this.zones.length > 1 ? "without a zone" : "all nodes");
    group.setAttribute("aria-label", `Zone ${title}`);
    const heading = element("div", "zone-head");
    zone.line = element("span", "counts");
    heading.append(element("strong", "", title), zone.line);
    zone.place = element("div", "cells");
    for (const node of zone.nodes) zone.place.append(this.cell(node));
    group.append(heading, zone.place);
    this.count(zone);
    return group;
  }

  cell(node) {
    const cell = element("div", "", " ");
    cell.setAttribute("role", "option");
    cell.setAttribute("aria-selected", "false");
    cell.tabIndex = -1;
    cell.dataset.node = node;
    this.cells[node] = cell;
    this.letter(node);
    return cell;
  }

  letter(node) {
    const cell = this.cells[node];
    cell.dataset.state = this.shown[node];
    cell.firstChild.data = this.shown[node];
    cell.setAttribute("aria-label", this.nameOf(node));
  }

  nameOf(node) {
    const { name, zone } = this.replay.report.nodes[node];
    return `${name}, ${zone || "no zone"}, ${this.meanings.get(this.shown[node])}`;
  }

  // Writes the cells whose states are other ones than shown, and no other.
  show(nodes) {
    const zones = new Set();
    for (const node of nodes) {
      const state = this.replay.states[node];
      if (state === this.shown[node]) continue;
      const zone = this.zoneOf[node];
      zone.counts.add(this.shown[node], -1);
      zone.counts.add(state, 1);
      zones.add(zone);
      this.shown[node] = state;
      this.letter(node);
    }
    for (const zone of zones) this.count(zone);
  }

  count({ counts, nodes, line }) {
    const states = this.replay.report.states;
    const unavailable = counts.where(states, isUnavailable);
    const letters = states.filter(({ letter }) => letter !== " " && counts.of(letter) > 0);
    const parts = letters.map(({ letter }) => `${letter}\u00a0${counts.of(letter)}`);
    line.textContent = `${nodes.length} nodes, ${unavailable} unavailable: ${parts.join("  ")}`;
  }

  listen() {
    const nodeOf = (event) => {
      const cell = event.target.closest("[data-node]");
      return cell && Number(cell.dataset.node);
    };
    this.place.addEventListener("click", (event) => {
      const node = nodeOf(event);
      if (node !== null) this.select(node);
    });
    this.place.addEventListener("pointerover", (event) => {
      const node = nodeOf(event);
      if (node !== null) this.cells[node].title = this.nameOf(node);
    });
    this.place.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "Enter" || event.key === " ") this.select(this.active);
      else if (!this.move(event.key)) return;
      event.preventDefault();
    });
  }

  select(node) {
    if (this.selected !== undefined) this.cells[this.selected].setAttribute("aria-selected", "false");
    this.selected = node;
    this.cells[node].setAttribute("aria-selected", "true");
    this.focus(node);
    this.choose(node);
  }

  focus(node) {
    this.cells[this.active].tabIndex = -1;
    this.active = node;
    this.cells[node].tabIndex = 0;
    this.cells[node].focus();
  }

  // Whether the key is one that moves.
  move(key) {
    const zone = this.zoneOf[this.active];
    const at = this.order.indexOf(this.active);
    const moves = {
      ArrowLeft: () => this.order[at - 1],
      ArrowRight: () => this.order[at + 1],
      ArrowUp: () => this.row(zone, -1),
      ArrowDown: () => this.row(zone, 1),
      Home: () => this.order[0],
      End: () => this.order.at(-1),
    };
    if (!Object.hasOwn(moves, key)) return false;
    const node = moves[key]();
    if (node !== undefined) this.focus(node);
    return true;
  }

  // The cell above or below, in the zone before or after where there is none.
  row(zone, way) {
    const columns = ({ place }) => getComputedStyle(place).gridTemplateColumns.split(" ").length;
    const across = columns(zone);
    const at = zone.nodes.indexOf(this.active);
    const to = at + way * across;
    if (to >= 0 && to < zone.nodes.length) return zone.nodes[to];
    const lastRow = Math.floor((zone.nodes.length - 1) / across);
    if (way > 0 && Math.floor(at / across) < lastRow) return zone.nodes.at(-1);
    const next = this.zones[this.zones.indexOf(zone) + way];
    if (!next) return undefined;
    const last = next.nodes.length - 1;
    const start = way > 0 ? 0 : Math.floor(last / columns(next)) * columns(next);
    return next.nodes[Math.min(start + (at % across), last)];
  }

  // Marks the nodes whose names have the text, and returns them.
  find(text) {
    const sought = text.trim().toLowerCase();
    const { nodes } = this.replay.report;
    const hit = (node) => sought !== "" && nodes[node].name.toLowerCase().includes(sought);
    const found = this.order.filter(hit);
    for (const cell of this.place.querySelectorAll(".found")) cell.classList.remove("found");
    for (const node of found) this.cells[node].classList.add("found");
    this.place.classList.toggle("finding", sought !== "");
    return found;
  }
}
