// Pointer, wheel, touch, keys, sliders, layers, search and theme.

const CLICK = 5; // of the screen's pixels that a click may wander
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function listenToPointer(stage, app) {
  const { element: target } = stage, fingers = new Map();
  let start = null, spread = 0, dragged = false;
  const placeOf = (event) => {
    const box = target.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const middle = () => {
    const [a, b] = [...fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, spread: Math.hypot(a.x - b.x, a.y - b.y) };
  };

  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, placeOf(event));
    target.setPointerCapture(event.pointerId);
    dragged = fingers.size > 1;
    start = fingers.size > 1 ? middle() : placeOf(event);
    spread = start.spread || 0;
  });
  target.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    if (!fingers.has(event.pointerId)) {
      app.pointAt(stage, place);
      return;
    }
    fingers.set(event.pointerId, place);
    const here = fingers.size > 1 ? middle() : place;
    if (fingers.size === 1 && !dragged && Math.hypot(here.x - start.x, here.y - start.y) < CLICK) return;
    dragged = true;
    target.classList.add("dragged");
    if (fingers.size > 1) {
      if (spread) app.camera.zoom(stage, here.spread / spread, here.x, here.y);
      spread = here.spread;
    }
    app.camera.move(stage, (start.x - here.x) / app.camera.scale, (start.y - here.y) / app.camera.scale);
    start = here;
    app.cameraMoved();
  });
  const end = (event) => {
    const had = fingers.delete(event.pointerId);
    if (fingers.size) {
      start = [...fingers.values()][0];
      spread = 0;
      return;
    }
    target.classList.remove("dragged");
    if (!had || dragged || event.type === "pointercancel") return;
    const place = placeOf(event), was = app.current;
    app.pointAt(stage, place);
    const isSame = was && app.current && was.stage === stage && was.region === app.current.region;
    if (app.current && (event.pointerType === "mouse" || isSame)) app.togglePin(app.current);
  };
  target.addEventListener("pointerup", end);
  target.addEventListener("pointercancel", end);
  target.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && !fingers.size) app.leave();
  });
  target.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = placeOf(event), lines = event.deltaMode === 1 ? 24 : 1;
    app.camera.zoom(stage, Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), x, y);
    app.cameraMoved();
    app.pointAt(stage, { x, y });
  }, { passive: false });
  target.addEventListener("focus", () => (app.active = stage));
}

function zoomByStep(app, factor) {
  const { clientWidth, clientHeight } = app.active.element, { current } = app;
  const place = current ? app.active.toStage(current.pixel.x + 0.5, current.pixel.y + 0.5) : null;
  const isSeen = place && place.x >= 0 && place.y >= 0 && place.x <= clientWidth && place.y <= clientHeight;
  app.glide(() => app.camera.zoom(app.active, factor, isSeen ? place.x : clientWidth / 2, isSeen ? place.y : clientHeight / 2));
}

function listenToKeys(app) {
  const actions = {
    "+": () => zoomByStep(app, 1.5),
    "=": () => zoomByStep(app, 1.5),
    "-": () => zoomByStep(app, 1 / 1.5),
    0: () => app.glide(() => app.camera.fit(app.active)),
    "[": () => app.setLevel(app.active, app.active.level - 1),
    "]": () => app.setLevel(app.active, app.active.level + 1),
    "/": () => document.getElementById("number").select(),
    "?": () => document.getElementById("help").showModal(),
    p: () => app.choose("photograph"),
    m: () => app.choose("mosaic"),
    s: () => app.chooseScores(),
    b: () => app.toggleOver("borders"),
    g: () => app.toggleOver("graph"),
    Escape: () => app.letGo(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("help").open) return;
    const isText = event.target.matches("input[type=text]"), onStage = event.target.matches(".stage, body");
    if (isText && event.key === "Escape") {
      event.target.value = "";
      app.say("");
      showSearchError("");
      app.active.element.focus();
      return;
    }
    if (isText) return;
    const step = STEPS[event.key];
    if (step && onStage) {
      event.preventDefault();
      if (event.shiftKey) app.pan(...step);
      else app.step(...step);
    } else if ((event.key === "Enter" || event.key === " ") && onStage) {
      event.preventDefault();
      if (app.current) app.togglePin(app.current);
    } else {
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action) return;
      event.preventDefault();
      action();
    }
  });
}

function showSearchError(text) {
  document.getElementById("search-error").textContent = text;
  document.getElementById("number").setAttribute("aria-invalid", String(text !== ""));
}

function listenToSearch(app) {
  const field = document.getElementById("number");
  document.getElementById("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim().replace(/[,.\s]/g, ""), stage = app.active, count = stage.partition.count(stage.level);
    const isThere = /^\d+$/.test(text) && Number(text) < count;
    showSearchError(isThere ? "" : count > 1 ? `0 to ${whole(count - 1)} at this level` : "only 0 at this level");
    if (isThere) {
      app.goTo(stage, stage.level, Number(text));
      stage.element.focus();
    }
  });
  field.addEventListener("input", () => showSearchError(""));
}

function listenToControls(app) {
  document.getElementById("bases").addEventListener("change", (event) => app.choose(event.target.value));
  document.getElementById("overs").addEventListener("change", (event) => app.toggleOver(event.target.value, event.target.checked));
  document.getElementById("zoom-in").addEventListener("click", () => zoomByStep(app, 1.5));
  document.getElementById("zoom-out").addEventListener("click", () => zoomByStep(app, 1 / 1.5));
  document.getElementById("zoom-fit").addEventListener("click", () => app.glide(() => app.camera.fit(app.active)));
  document.getElementById("help-button").addEventListener("click", () => document.getElementById("help").showModal());
  for (const stage of app.stages) {
    listenToPointer(stage, app);
    const { slider } = stage;
    slider.addEventListener("input", () => app.setLevel(stage, Number(slider.value)));
  }
  listenToKeys(app);
  listenToSearch(app);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  document.getElementById("theme").addEventListener("click", () => {
    const { theme } = document.documentElement.dataset, isDark = theme ? theme === "dark" : dark.matches;
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    app.themeChanged();
  });
  dark.addEventListener("change", () => app.themeChanged());
  new ResizeObserver(() => app.resized()).observe(document.getElementById("views"));
}
