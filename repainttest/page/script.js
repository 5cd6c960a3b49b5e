
{
  const all = [...document.querySelectorAll(".grid details")];
  const summaries = all.map((d) => d.querySelector("summary"));
  const showAll = (open) => { for (const d of all) d.open = open; };

  const results = document.getElementById("results");
  results.hidden = all.length === 0;
  results.addEventListener("click", () => {
    const open = results.getAttribute("aria-pressed") !== "true";
    showAll(open);
    results.setAttribute("aria-pressed", open);
    results.textContent = open ? "Hide all results" : "Show all results";
  });

  // Columns of quiet tasks get no width.
  const quiet = document.getElementById("quiet");
  quiet?.addEventListener("click", () => {
    const hide = quiet.getAttribute("aria-pressed") !== "true";
    const grid = document.querySelector(".grid");
    grid.classList.toggle("without-quiet", hide);
    const titles = [...grid.querySelectorAll(".title.task")];
    const shown = titles.filter((t) => !hide || !t.classList.contains("quiet"));
    grid.parentElement.style.setProperty("--tasks", shown.length);
    grid.style.gridTemplateColumns = hide
      ? "var(--number) " + titles.map((t) => (shown.includes(t) ? "minmax(0, 1fr)" : "0")).join(" ")
      : "";
    for (const bar of grid.querySelectorAll(".bar")) {
      bar.hidden = hide && !shown.some((t) => t.dataset.column === bar.dataset.column);
    }
    quiet.setAttribute("aria-pressed", hide);
    quiet.textContent = hide ? "Show all tasks" : "Hide tasks that weren't overtaken";
  });

  // A click that ends a selection of text opens nothing.
  for (const s of summaries) {
    s.addEventListener("click", (e) => {
      if (e.detail > 0 && getSelection().toString() !== "" && s.contains(getSelection().anchorNode)) e.preventDefault();
    });
  }

  const columnOf = (s) => Number(s.closest(".cell").dataset.column);
  const next = (from, step, wanted) => {
    for (let i = from + step; i >= 0 && i < summaries.length; i += step) {
      if (summaries[i].offsetParent && wanted(columnOf(summaries[i]))) return summaries[i];
    }
    return null;
  };
  // The statement of the nearest column on that side that is the nearest in time.
  const beside = (at, side) => {
    const from = columnOf(summaries[at]);
    let best = null, score = Infinity;
    summaries.forEach((s, i) => {
      const away = (columnOf(s) - from) * side;
      if (away > 0 && s.offsetParent && away * 1e6 + Math.abs(i - at) < score) {
        best = s;
        score = away * 1e6 + Math.abs(i - at);
      }
    });
    return best;
  };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.altKey || e.metaKey || e.shiftKey || /^(INPUT|BUTTON|TEXTAREA)$/.test(e.target.tagName)) return;
    const at = summaries.indexOf(document.activeElement);
    let to = null;
    switch (e.key) {
      case "ArrowDown": to = next(at, 1, () => true); break;
      case "ArrowUp": to = at < 0 ? null : next(at, -1, () => true); break;
      case "ArrowRight": to = at < 0 ? null : beside(at, 1); break;
      case "ArrowLeft": to = at < 0 ? null : beside(at, -1); break;
    }
    if (to) {
      e.preventDefault();
      to.focus({ preventScroll: true });
      to.scrollIntoView({ block: "center", inline: "nearest" });
    }
  });

  // On paper nothing can be clicked.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all.filter((d) => !d.open);
    showAll(true);
  });
  addEventListener("afterprint", () => { for (const d of opened) d.open = false; });
}
