// The live page: it asks for itself every second, and replaces what has changed. What the reader has done stays: the
// focus, a selection, the place in a log, a filter, a sorted table, what is open.
{
  const stored = localStorage.getItem("coord-theme");
  if (stored === "dark" || stored === "light") {
    document.documentElement.dataset.theme = stored;
    say();
  }
  toggle.addEventListener("click", () => localStorage.setItem("coord-theme", document.documentElement.dataset.theme));

  const SECONDS = 1;
  const AFTER_FAILURE = 5;
  // Set by the reader or by this script, and so not as the server says.
  const OURS = new Set(["open", "hidden", "aria-sort", "aria-expanded", "data-label", "data-empty"]);
  const content = document.getElementById("content");
  const connection = document.getElementById("connection");

  const keyOf = (node) =>
    node.nodeType === Node.ELEMENT_NODE
      ? node.getAttribute("data-key") || node.id || node.getAttribute("aria-labelledby") || ""
      : "";
  const isAlike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  const attributes = (old, fresh) => {
    for (const { name } of [...old.attributes])
      if (!fresh.hasAttribute(name) && !OURS.has(name) && !(name === "class" && old.matches("table")))
        old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) {
      if (OURS.has(name) || old.getAttribute(name) === value) continue;
      if (name === "class" && old.matches("table.labelled")) continue;
      old.setAttribute(name, value);
    }
  };

  // Makes the children of `old` equal to those of `fresh`; nodes that stay are not touched, so that they keep the focus.
  const children = (old, fresh) => {
    const isSorted = old.nodeName === "TABLE" && old.querySelector(":scope > thead th[aria-sort]") !== null;
    const wanted = new Set([...fresh.childNodes].map(keyOf).filter(Boolean));
    const known = new Map([...old.childNodes].map((node) => [keyOf(node), node]).filter(([key]) => key));
    let at = old.firstChild;
    const used = new Set();
    for (const next of [...fresh.childNodes]) {
      const key = keyOf(next);
      while (at && (used.has(at) || (keyOf(at) && !wanted.has(keyOf(at))))) {
        const gone = at;
        at = at.nextSibling;
        if (!used.has(gone)) gone.remove();
      }
      let match = key ? known.get(key) : at && isAlike(at, next) ? at : null;
      if (match && !isAlike(match, next)) match = null;
      if (match) {
        if (match === at) at = at.nextSibling;
        else if (!isSorted) old.insertBefore(match, at);
        update(match, next);
        used.add(match);
      } else {
        next.querySelectorAll?.("button.toggle").forEach((button) => button.setAttribute("aria-expanded", "false"));
        old.insertBefore(next, at);
        used.add(next);
      }
    }
    for (const node of [...old.childNodes]) if (!used.has(node)) node.remove();
  };

  const update = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    attributes(old, fresh);
    children(old, fresh);
  };

  // The names of the columns, for narrow screens, where each line of a table is a card.
  const label = () => {
    for (const table of content.querySelectorAll("table")) {
      if (!table.tHead) continue;
      table.classList.add("labelled");
      const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
      for (const row of table.querySelectorAll("tbody > tr:not(.more)")) {
        [...row.cells].forEach((cell, at) => {
          if (cell.nodeName === "TD" && cell.dataset.label !== names[at]) cell.dataset.label = names[at];
          cell.toggleAttribute("data-empty", cell.textContent.trim() === "" && !cell.querySelector("svg"));
        });
      }
    }
  };

  const filter = document.getElementById("filter");
  const sieve = () => {
    const table = document.getElementById("table");
    if (!filter || !table) return;
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const body of table.tBodies) {
      body.hidden = !words.every((word) => body.dataset.text.includes(word));
      shown += !body.hidden;
    }
    document.getElementById("found").textContent = `${shown} of ${table.tBodies.length} shown`;
  };

  const settle = () => {
    for (const button of content.querySelectorAll("button.toggle"))
      fold(button, button.getAttribute("aria-expanded") === "true");
    for (const table of content.querySelectorAll("table.sortable")) {
      if (!table.querySelector("th[aria-sort]")) continue;
      const order = sorted(table);
      if (order.every((body, at) => body === table.tBodies[at])) continue;
      const active = document.activeElement;
      table.append(...order);
      if (table.contains(active)) active.focus({ preventScroll: true });
    }
    label();
    sieve();
  };

  const show = (text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById("content");
    if (!fresh) return;
    const log = document.getElementById("log");
    const isAtEnd = log && log.scrollHeight - log.scrollTop - log.clientHeight < 30;
    if (document.title !== page.title) document.title = page.title;
    children(content, fresh);
    settle();
    const now = document.getElementById("log");
    if (now && (isAtEnd || !log)) now.scrollTop = now.scrollHeight;
  };

  let tag = "";
  let timer = 0;
  const state = (text, kind) => {
    if (connection.textContent !== text) connection.textContent = text;
    connection.className = `badge ${kind}`;
  };
  class Lost extends Error {}
  const ask = async () => {
    try {
      const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      return { answer, text: await answer.text() };
    } catch (error) {
      throw new Lost(error.message);
    }
  };
  const refresh = async () => {
    clearTimeout(timer);
    let pause = SECONDS;
    if (!document.hidden) {
      try {
        const { answer, text } = await ask();
        if (answer.status === 200 || answer.status === 404) {
          tag = answer.headers.get("ETag") ?? "";
          show(text);
        }
        state("live", "live");
      } catch (error) {
        pause = AFTER_FAILURE;
        if (!(error instanceof Lost)) throw error;
        state("not live: coord ui has ended", "bad");
      } finally {
        clearTimeout(timer);
        timer = setTimeout(refresh, pause * 1000);
      }
    } else timer = setTimeout(refresh, pause * 1000);
  };

  if (filter) {
    let typing = 0;
    filter.addEventListener("input", () => {
      sieve();
      clearTimeout(typing);
      // The server looks into all runs, also into those that are not on the page.
      typing = setTimeout(() => {
        const address = new URL(location.href);
        if (filter.value) address.searchParams.set("q", filter.value);
        else address.searchParams.delete("q");
        history.replaceState(null, "", address);
        refresh();
      }, 300);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.nodeName))
        return;
      event.preventDefault();
      filter.focus();
    });
  }
  document.addEventListener("visibilitychange", () => !document.hidden && refresh());
  settle();
  const log = document.getElementById("log");
  if (log) log.scrollTop = log.scrollHeight;
  timer = setTimeout(refresh, SECONDS * 1000);
}
