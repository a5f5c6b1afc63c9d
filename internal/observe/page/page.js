"use strict";
(() => {
  // What is in force until the next event; the server's clock is not compared with ours.
  let source, heard = 0, wait = 1000, trouble = "", at = "";
  const link = document.getElementById("link"), filter = document.getElementById("filter"), found = document.getElementById("found");
  const table = document.querySelector("table.devices");
  document.documentElement.classList.add("live");

  // What belongs to the reader, not to the report.
  const kept = new Set(["open", "hidden"]);

  function parse(html) {
    const t = document.createElement("template");
    t.innerHTML = html;
    return t.content.firstElementChild;
  }

  // morph makes old look like new and leaves alone what is equal, so that focus,
  // selection, scrolling and open details stay.
  function morph(old, now) {
    if (old.isEqualNode(now)) return;
    if (now.className === "past" && !now.firstChild) return; // comes by itself
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) { old.replaceWith(now); return; }
    if (old.nodeType !== Node.ELEMENT_NODE) { old.nodeValue = now.nodeValue; return; }
    for (const a of [...old.attributes]) if (!kept.has(a.name) && !now.hasAttribute(a.name)) old.removeAttribute(a.name);
    for (const a of now.attributes) if (!kept.has(a.name) && old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
    const olds = [...old.childNodes], news = [...now.childNodes];
    news.forEach((n, i) => { if (i < olds.length) morph(olds[i], n); else old.append(n); });
    olds.slice(news.length).forEach((o) => o.remove());
  }

  function put(id, html) {
    const now = parse(html), old = document.getElementById(id);
    if (!old) { if (now.nodeName === "TBODY") table.append(now); return; }
    const turned = old.dataset.state !== now.dataset.state;
    morph(old, now);
    if (turned) {
      old.classList.add("changed");
      old.addEventListener("animationend", () => old.classList.remove("changed"), { once: true });
    }
  }

  function order(ids) {
    const focus = document.activeElement, wanted = new Set(ids);
    for (const body of [...table.tBodies]) if (!wanted.has(body.id)) body.remove();
    let next = table.tBodies[0] || null;
    for (const id of ids) {
      const body = document.getElementById(id);
      if (!body) continue;
      if (body === next) next = next.nextElementSibling; else table.insertBefore(body, next);
    }
    if (focus && focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
  }

  function sift() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const body of table.tBodies) {
      body.hidden = !words.every((w) => (body.dataset.words || "").includes(w));
      if (!body.hidden) n++;
    }
    const text = words.length ? `${n} of ${table.tBodies.length}` : "";
    if (found.textContent !== text) found.textContent = text;
  }

  function show(c) {
    heard = performance.now();
    wait = 1000;
    if (c.build !== document.body.dataset.build) { location.reload(); return; }
    trouble = c.trouble || "";
    if (trouble) { tell(); return; }
    at = c.at;
    if (c.title) document.title = c.title;
    if (c.icon) document.getElementById("icon").href = c.icon;
    for (const id in c.sections || {}) put(id, c.sections[id]);
    if (c.order) order(c.order);
    sift();
    tell();
  }

  function tell() {
    const age = Math.round((performance.now() - heard) / 1000);
    const lost = trouble || age > 4;
    const clock = at.slice(11, 19);
    const text = trouble ? `the engine does not answer; data of ${clock} UTC` :
      lost ? `connection lost; data is ${age} s old` : "live";
    link.className = lost ? "lost" : "live";
    if (link.textContent !== text) link.textContent = text;
    link.title = trouble;
  }

  function connect() {
    if (source) source.close();
    source = new EventSource(location.pathname);
    source.addEventListener("page", (e) => show(JSON.parse(e.data)));
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 15000);
    };
  }

  filter.addEventListener("input", sift);
  document.addEventListener("keydown", (e) => {
    if (e.key === "/" && e.target !== filter && !e.ctrlKey && !e.metaKey && !e.altKey) { e.preventDefault(); filter.focus(); }
    if (e.key === "Escape" && e.target === filter) { filter.value = ""; sift(); }
  });
  // A connection that is open and silent is none.
  setInterval(() => {
    if (heard) tell();
    if (source.readyState === EventSource.OPEN && performance.now() - heard > 12000) { heard = heard || performance.now(); connect(); }
  }, 1000);
  heard = performance.now();
  sift();
  connect();
})();
