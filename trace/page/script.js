
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const view = document.getElementById("view");
  const canvas = document.getElementById("canvas");
  const space = document.getElementById("space");
  const details = document.getElementById("details");
  const search = document.getElementById("search");
  const pen = canvas.getContext("2d");
  const kinds = ["runs", "waits", "gave control away", "tick", "sleeps", "statement", "statement that failed"];
  const colours = ["runs", "waits", "handed", "tick", "waits", "statement", "failed"];
  const RULER = 26, LINE = 18, HEAD = 24, LETTER = 6.7;

  // Times are numbers of nanoseconds. Spans are kept in columns, because there are many.
  const tracks = data.tracks.map((t, index) => {
    const n = t.spans.length / 6;
    const track = {
      ...t, index, n, from: new Float64Array(n), to: new Float64Array(n), kind: new Uint8Array(n), text: new Uint32Array(n),
      other: new Int32Array(n), level: new Uint16Array(n), longest: 0, marks: t.marks ?? [],
      given: t.name.match(/^task \d+ \((.*)\)$/s)?.[1] ?? t.name, // what the program calls it
    };
    for (let i = 0, at = 0; i < n; i++) {
      at += t.spans[6 * i];
      track.from[i] = at;
      track.to[i] = at + t.spans[6 * i + 1];
      track.kind[i] = t.spans[6 * i + 2];
      track.text[i] = t.spans[6 * i + 3];
      track.other[i] = t.spans[6 * i + 4];
      track.level[i] = t.spans[6 * i + 5];
      track.longest = Math.max(track.longest, t.spans[6 * i + 1]);
    }
    return track;
  });

  // Rows: a head for each group, and its tracks.
  const rows = [];
  let height = RULER;
  let group = -1;
  for (const t of tracks) {
    if (t.group !== group) {
      group = t.group;
      rows.push({ y: height, h: HEAD, head: data.groups[group] });
      height += HEAD;
    }
    const h = Math.max(1, t.levels) * (LINE - 4) + 4;
    rows.push({ y: height, h, track: t });
    t.y = height;
    t.h = h;
    height += h;
  }
  height += 12;

  let t0 = data.first, t1 = Math.max(data.lasted, data.first + 1000); // what is seen
  let width = 0, tall = 0, gutter = 0, theme = {}, letters = 0;
  let selected = null; // {track, i}
  let query = "", matches = [], matching = null, at = -1;
  let drawing = 0;

  const readTheme = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["paper", "ink", "quiet", "line", "raised", "accent", "runs", "waits", "handed", "tick", "statement", "failed", "flush", "on-bar", "on-light", "match"]) {
      theme[name] = style.getPropertyValue("--" + name).trim();
    }
    theme.mono = style.getPropertyValue("--mono").trim();
    theme.sans = style.getPropertyValue("--sans").trim();
  };
  const x = (t) => gutter + ((t - t0) / (t1 - t0)) * (width - gutter);
  const timeAt = (px) => t0 + ((px - gutter) / (width - gutter)) * (t1 - t0);

  const duration = (ns) => {
    const trim = (v) => String(Number(v.toPrecision(4)));
    if (ns >= 1e9) return trim(ns / 1e9) + " s";
    if (ns >= 1e6) return trim(ns / 1e6) + " ms";
    if (ns >= 1e3) return trim(ns / 1e3) + " µs";
    return Math.round(ns) + " ns";
  };

  // A moment has as many digits as tell it from those that are a hundredth of a span away.
  const moment = (ns, span) => {
    const [unit, name] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"] : [1e3, "µs"];
    const digits = Math.ceil(Math.log10(unit / Math.max(span / 100, 1)));
    return (ns / unit).toFixed(Math.min(Math.max(digits, 0), 9)) + " " + name;
  };

  const resize = () => {
    const scale = devicePixelRatio || 1;
    width = view.clientWidth;
    tall = view.clientHeight;
    gutter = width <= 500 ? 120 : 220;
    letters = Math.floor((gutter - 14) / LETTER);
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(tall * scale);
    canvas.style.height = tall + "px";
    space.style.height = Math.max(0, height - tall) + "px";
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    draw();
  };

  // The first span of a track that may reach to a time. Levels overlap, but none is longer than the
  // longest.
  const firstAt = (t, time) => {
    let low = 0, high = t.n;
    const since = t.levels > 1 ? time - t.longest : time;
    const reach = t.levels > 1 ? t.from : t.to;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (reach[middle] < since) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const cut = (text, room) => (text.length <= room ? text : room < 3 ? "" : text.slice(0, room - 1) + "…");

  const draw = () => {
    if (drawing === 0) drawing = requestAnimationFrame(paint);
  };

  const paint = () => {
    drawing = 0;
    const began = performance.now();
    let drawn = 0;
    const top = view.scrollTop;
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, width, tall);
    pen.textBaseline = "middle";
    const links = [], labels = [];
    let first = 0, last = rows.length; // visible rows
    {
      let low = 0, high = rows.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (rows[middle].y + rows[middle].h < top) low = middle + 1;
        else high = middle;
      }
      first = low;
    }
    for (let r = first; r < last; r++) {
      const row = rows[r];
      const y = row.y - top;
      if (y > tall) break;
      if (row.head !== undefined) {
        pen.fillStyle = theme.raised;
        pen.fillRect(0, y, width, row.h);
        pen.fillStyle = theme.ink;
        pen.font = "600 12px " + theme.sans;
        pen.fillText(row.head, 8, y + row.h / 2);
        continue;
      }
      const t = row.track;
      const dimTrack = matching && !matching.tracks.has(t.index);
      pen.fillStyle = theme.line;
      pen.fillRect(0, y + row.h - 0.5, width, 0.5);
      let busy = -1, busyLevel = -1, busyKind = -1;
      for (let i = firstAt(t, t0); i < t.n && t.from[i] <= t1; i++) {
        if (t.to[i] < t0) continue;
        const left = Math.max(x(t.from[i]), gutter);
        const right = Math.min(x(t.to[i]), width);
        const kind = t.kind[i];
        const wide = Math.max(right - left, 1);
        if (left + wide <= busy && busyLevel === t.level[i] && (busyKind === kind || kind !== 0 && kind < 5)) continue;
        const hit = !matching || matching.strings.has(t.text[i]) || !dimTrack && matching.names.has(t.index);
        const slim = kind === 1 || kind === 2 || kind === 4;
        const barTop = y + 2 + t.level[i] * (LINE - 4) + (slim ? 3 : 0);
        const barHeight = LINE - 6 - (slim ? 6 : 0);
        pen.globalAlpha = hit ? 1 : 0.22;
        pen.fillStyle = theme[colours[kind]];
        pen.fillRect(left, barTop, wide, barHeight);
        drawn++;
        busy = Math.ceil(left + wide);
        busyLevel = t.level[i];
        busyKind = kind;
        if (matching && hit) {
          pen.fillStyle = theme.match;
          pen.fillRect(left, y + row.h - 2.5, wide, 2);
        }
        const text = data.strings[t.text[i]];
        if (text && wide > 30) {
          const label = cut(text, Math.floor((wide - 6) / LETTER));
          const lineTop = y + 2 + t.level[i] * (LINE - 4);
          if (label && slim) pen.fillRect(left, lineTop, wide, LINE - 6); // it needs the room
          if (label) labels.push([label, left + 3, lineTop + (LINE - 6) / 2 + 0.5, slim ? theme["on-light"] : theme["on-bar"], pen.globalAlpha]);
        }
        pen.globalAlpha = 1;
        if (kind === 0 && t.other[i] >= 0 && t.from[i] >= t0) links.push([t, i]);
      }
      pen.fillStyle = theme.flush;
      for (let m = 0; m < t.marks.length; m += 2) {
        const time = t.marks[m];
        if (time >= t0 && time <= t1) pen.fillRect(x(time) - 1, y + 1, 2, row.h - 3);
      }
      pen.fillStyle = theme.paper;
      pen.fillRect(0, y, gutter, row.h - 0.5);
      pen.globalAlpha = dimTrack ? 0.45 : 1;
      pen.fillStyle = theme.ink;
      pen.font = "11px " + theme.mono;
      pen.fillText(cut(t.name.length > letters ? t.given : t.name, letters), 8, y + Math.min(row.h, LINE) / 2);
      pen.globalAlpha = 1;
    }
    pen.save();
    pen.beginPath();
    pen.rect(gutter, RULER, width - gutter, tall);
    pen.clip();
    if (links.length <= 150) for (const [t, i] of links) link(t, i, top, false);
    // Texts come last, so that no line crosses them out.
    pen.font = "11px " + theme.mono;
    for (const [text, px, py, colour, alpha] of labels) {
      pen.globalAlpha = alpha;
      pen.fillStyle = colour;
      pen.fillText(text, px, py);
    }
    pen.globalAlpha = 1;
    if (selected) mark(top);
    pen.restore();
    ruler();
    pen.fillStyle = theme.line;
    pen.fillRect(gutter - 1, 0, 1, tall);
    view.dataset.drawn = drawn;
    view.dataset.from = t0;
    view.dataset.to = t1;
    view.dataset.took = (performance.now() - began).toFixed(2);
  };

  // A line from the greenlet that gave control, or to the one that got it.
  const link = (t, i, top, strong) => {
    const other = tracks[t.other[i]];
    if (!other || other === t) return;
    const at = Math.round(x(t.from[i])) + 0.5;
    const a = other.y - top + other.h / 2, b = t.y - top + t.h / 2;
    const [from, to] = t.kind[i] === 0 ? [a, b] : [b, a];
    const away = Math.sign(to - from);
    pen.strokeStyle = pen.fillStyle = strong ? theme.accent : theme.quiet;
    pen.globalAlpha = strong ? 1 : 0.35;
    pen.lineWidth = strong ? 2 : 1;
    pen.beginPath();
    pen.moveTo(at, from);
    pen.lineTo(at, to - away * 4);
    pen.stroke();
    pen.beginPath();
    pen.moveTo(at, to);
    pen.lineTo(at - 3, to - away * 6);
    pen.lineTo(at + 3, to - away * 6);
    pen.fill();
    pen.globalAlpha = 1;
  };

  const mark = (top) => {
    const { track: t, i } = selected;
    const left = x(t.from[i]), wide = Math.max(x(t.to[i]) - left, 2);
    link(t, i, top, true);
    pen.strokeStyle = theme.ink;
    pen.lineWidth = 2;
    pen.strokeRect(left - 1, t.y - top + 1 + t.level[i] * (LINE - 4), wide + 2, LINE - 4);
  };

  const ruler = () => {
    pen.fillStyle = theme.raised;
    pen.fillRect(0, 0, width, RULER);
    const wanted = (t1 - t0) / Math.max((width - gutter) / 110, 1);
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= wanted);
    pen.font = "11px " + theme.sans;
    pen.textBaseline = "middle";
    for (let t = Math.ceil(t0 / step) * step; t <= t1; t += step) {
      const px = x(t);
      pen.fillStyle = theme.line;
      pen.fillRect(px, 0, 1, RULER);
      pen.fillStyle = theme.quiet;
      if (px + 70 < width) pen.fillText(label(t, step), px + 4, RULER / 2);
    }
    pen.fillStyle = theme.raised;
    pen.fillRect(0, 0, gutter, RULER);
    pen.fillStyle = theme.quiet;
    pen.fillText(duration(t1 - t0) + " shown", 8, RULER / 2);
  };
  const label = (t, step) => {
    const [unit, name] = step >= 1e9 || t >= 1e10 && step >= 1e7 ? [1e9, "s"] : step >= 1e5 || t >= 1e7 && step >= 1e4 ? [1e6, "ms"] : [1e3, "µs"];
    const digits = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
    return (t / unit).toFixed(Math.min(digits, 6)) + " " + name;
  };

  const move = (from, to) => {
    const least = 100, most = data.lasted * 1.02 + 1000;
    let span = Math.min(Math.max(to - from, least), most);
    t0 = Math.min(Math.max(from, -most * 0.01), most - span);
    t1 = t0 + span;
    draw();
  };
  const zoom = (factor, around) => {
    const centre = around ?? (t0 + t1) / 2;
    move(centre - (centre - t0) * factor, centre + (t1 - centre) * factor);
  };
  const pan = (share) => move(t0 + (t1 - t0) * share, t1 + (t1 - t0) * share);
  const fit = () => move(data.first, Math.max(data.lasted, data.first + 1000));

  // The span at a place of the window, the nearest within three pixels.
  const spanAt = (px, py) => {
    const y = py + view.scrollTop;
    if (py < RULER || px < gutter) return null;
    const row = rows.find((r) => r.track && y >= r.y && y < r.y + r.h);
    if (!row) return null;
    const t = row.track, level = Math.min(Math.floor(Math.max(y - row.y - 2, 0) / (LINE - 4)), t.levels - 1);
    let best = null, nearest = 3.01;
    for (let i = firstAt(t, timeAt(px - 4)); i < t.n && x(t.from[i]) <= px + 4; i++) {
      if (t.level[i] !== level) continue;
      const left = x(t.from[i]), right = Math.max(x(t.to[i]), left + 1);
      const away = px < left ? left - px : px > right ? px - right : 0;
      if (away < nearest || away === nearest && best && t.kind[i] === 0) {
        best = { track: t, i };
        nearest = away;
      }
    }
    return best;
  };

  const add = (parent, tag, text, cls) => {
    const e = document.createElement(tag);
    e.textContent = text;
    if (cls) e.className = cls;
    parent.append(e);
    return e;
  };
  const trackButton = (parent, before, t, time) => {
    const p = add(parent, "p", before + " ");
    add(p, "button", t.name).addEventListener("click", () => {
      let i = firstAt(t, time);
      if (i < t.n) select({ track: t, i }, true);
    });
  };
  const select = (it, show) => {
    selected = it;
    details.replaceChildren();
    if (!it) {
      add(details, "p", "Click a bar for its details.");
      draw();
      return;
    }
    const { track: t, i } = it, kind = t.kind[i];
    add(details, "p", `${t.name}: ${kinds[kind]}${kind === 1 ? " for" : ""}`, "title");
    if (data.strings[t.text[i]]) add(details, "pre", data.strings[t.text[i]]);
    add(details, "p", `${duration(t.to[i] - t.from[i])}, from ${moment(t.from[i], t.to[i] - t.from[i])} to ${moment(t.to[i], t.to[i] - t.from[i])}`);
    const other = tracks[t.other[i]];
    if (other) trackButton(details, kind === 0 ? "got control from" : "gave control to", other, t.from[i]);
    if (t.about) add(details, "p", t.about);
    if (show) {
      const long = t.to[i] - t.from[i];
      if (long * (width - gutter) < 4 * (t1 - t0) || long > t1 - t0) {
        const span = Math.max(long * 20, 1000);
        move(t.from[i] + long / 2 - span / 2, t.from[i] + long / 2 + span / 2);
      } else if (t.from[i] < t0 || t.to[i] > t1) {
        const span = t1 - t0;
        move(t.from[i] + long / 2 - span / 2, t.from[i] + long / 2 + span / 2);
      }
      if (t.y - RULER < view.scrollTop || t.y + t.h > view.scrollTop + tall) view.scrollTop = t.y - tall / 2;
    }
    draw();
  };

  // Search: all spans whose text, or whose track's name, has the words.
  const seek = () => {
    query = search.value.trim().toLowerCase();
    matches = [];
    at = -1;
    matching = null;
    if (query) {
      const strings = new Set();
      data.strings.forEach((s, i) => { if (s.toLowerCase().includes(query)) strings.add(i); });
      const found = new Set(), names = new Set();
      for (const t of tracks) {
        const named = (t.name + " " + t.about).toLowerCase().includes(query);
        if (named) { names.add(t.index); found.add(t.index); }
        for (let i = 0; i < t.n; i++) {
          if (strings.has(t.text[i])) { found.add(t.index); matches.push({ track: t, i }); }
        }
        if (named && t.n > 0 && !strings.has(t.text[0])) matches.push({ track: t, i: 0 });
      }
      matches.sort((a, b) => a.track.from[a.i] - b.track.from[b.i]);
      matching = { strings, names, tracks: found };
    }
    tell();
    draw();
  };
  const tell = () => {
    document.getElementById("found").textContent = !query ? "" : matches.length === 0 ? "nothing found" : `${at + 1 > 0 ? at + 1 + " of " : ""}${matches.length}`;
  };
  const next = (step) => {
    if (matches.length === 0) return;
    at = at < 0 && step < 0 ? matches.length - 1 : (at + step + matches.length) % matches.length;
    tell();
    select(matches[at], true);
  };

  search.addEventListener("input", seek);
  search.addEventListener("keydown", (e) => {
    if (e.key === "Enter") next(e.shiftKey ? -1 : 1);
    if (e.key === "Escape") { search.value = ""; seek(); view.focus(); }
  });
  document.getElementById("next").addEventListener("click", () => next(1));
  document.getElementById("previous").addEventListener("click", () => next(-1));
  document.getElementById("in").addEventListener("click", () => zoom(0.5));
  document.getElementById("out").addEventListener("click", () => zoom(2));
  document.getElementById("fit").addEventListener("click", fit);

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || e.target === search) return;
    const act = {
      ArrowLeft: () => pan(-0.15), ArrowRight: () => pan(0.15), "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6),
      "0": fit, "/": () => search.focus(), n: () => next(1), p: () => next(-1), Escape: () => select(null),
    };
    if (e.shiftKey && selected && (e.key === "ArrowLeft" || e.key === "ArrowRight")) {
      const i = selected.i + (e.key === "ArrowRight" ? 1 : -1);
      if (i >= 0 && i < selected.track.n) select({ track: selected.track, i }, true);
    } else if (act[e.key]) {
      act[e.key]();
    } else {
      return;
    }
    e.preventDefault();
  });

  view.addEventListener("scroll", draw);
  view.addEventListener("wheel", (e) => {
    const box = canvas.getBoundingClientRect();
    if (e.ctrlKey || e.metaKey || e.altKey) {
      e.preventDefault();
      zoom(Math.exp(Math.max(-1, Math.min(1, e.deltaY * 0.004))), timeAt(Math.max(e.clientX - box.left, gutter)));
    } else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
      e.preventDefault();
      pan((e.shiftKey && e.deltaX === 0 ? e.deltaY : e.deltaX) / (width - gutter));
    }
  }, { passive: false });

  // One pointer pans, two zoom.
  const pointers = new Map();
  let travelled = 0;
  view.addEventListener("pointerdown", (e) => {
    if (e.button !== 0 || e.clientX > view.getBoundingClientRect().left + view.clientWidth) return;
    pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
    travelled = 0;
    view.setPointerCapture(e.pointerId);
  });
  view.addEventListener("pointermove", (e) => {
    const box = canvas.getBoundingClientRect();
    const before = pointers.get(e.pointerId);
    if (!before) {
      const it = spanAt(e.clientX - box.left, e.clientY - box.top);
      canvas.title = it ? `${it.track.name}: ${kinds[it.track.kind[it.i]]} ${data.strings[it.track.text[it.i]]} (${duration(it.track.to[it.i] - it.track.from[it.i])})`
        : e.clientX - box.left < gutter ? rows.find((r) => r.track && e.clientY - box.top + view.scrollTop >= r.y && e.clientY - box.top + view.scrollTop < r.y + r.h)?.track.name ?? "" : "";
      return;
    }
    const dx = e.clientX - before.x, dy = e.clientY - before.y;
    travelled += Math.abs(dx) + Math.abs(dy);
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== e.pointerId)[1];
      const was = Math.hypot(before.x - other.x, before.y - other.y), is = Math.hypot(e.clientX - other.x, e.clientY - other.y);
      if (was > 10 && is > 10) zoom(was / is, timeAt((e.clientX + other.x) / 2 - box.left));
    } else if (travelled > 3) {
      view.classList.add("drags");
      const time = (dx / (width - gutter)) * (t1 - t0);
      move(t0 - time, t1 - time);
      view.scrollTop -= dy;
    }
    pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
  });
  const lift = (e) => {
    if (!pointers.delete(e.pointerId)) return;
    view.classList.remove("drags");
    if (e.type === "pointerup" && travelled <= 3) {
      const box = canvas.getBoundingClientRect();
      select(spanAt(e.clientX - box.left, e.clientY - box.top), false);
      view.focus({ preventScroll: true });
    }
  };
  view.addEventListener("pointerup", lift);
  view.addEventListener("pointercancel", lift);

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readTheme(); draw(); });
  new ResizeObserver(resize).observe(view);
  readTheme();
  resize();
  paint();

  // For tests, and for the console.
  window.timeline = {
    tracks, rows,
    box: (track, i) => {
      const t = tracks[track], c = canvas.getBoundingClientRect();
      const left = x(t.from[i]);
      return { X: c.left + left, Y: c.top + t.y - view.scrollTop + 2 + t.level[i] * (LINE - 4), W: Math.max(x(t.to[i]) - left, 1), H: LINE - 6 };
    },
  };
}
