// The search page: what it looks through is in search-index.js, MiniSearch looks.
(function () {
  "use strict";
  const MOST = 50;
  const form = document.querySelector("main form.bd-search");
  const field = form.elements.q;
  const list = document.querySelector(".search-hits");
  const count = document.querySelector(".search-count");
  let timer = 0;

  const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

  // "max-margin" is found as a whole and by its parts, and so is "imd.theorem-1".
  function tokenize(text) {
    const whole = text.match(/[\p{L}\p{N}\p{M}]+(?:[.\-_’'][\p{L}\p{N}\p{M}]+)*/gu) ?? [];
    return whole.flatMap((word) => {
      const parts = word.split(/[.\-_’']/u);
      return parts.length > 1 && !/^[\d.]+$/.test(word) ? [word, ...parts] : [word];
    });
  }

  const engine = new MiniSearch({
    fields: ["title", "text"],
    tokenize,
    processTerm: fold,
    searchOptions: {
      boost: { title: 4 },
      combineWith: "AND",
      prefix: (term) => term.length > 2,
      boostDocument: (id) => (places[id].kind === "Section" ? 1 : 1.5),
    },
  });
  const places = BOOK_PLACES.map(([kind, title, page, anchor, text], id) => ({
    id, kind, title, page: BOOK_PAGES[page], anchor, text,
  }));
  engine.addAll(places);

  // All of the words; else words that are nearly these; else some of them.
  function look(words) {
    const ways = [{}, { fuzzy: (term) => (term.length > 5 ? 0.2 : 0) }, { combineWith: "OR" }];
    for (const way of ways) {
      const hits = engine.search(words, way);
      if (hits.length) return { hits, some: way.combineWith === "OR" };
    }
    return { hits: [], some: false };
  }

  // What to mark of a hit: what was asked for, or what was taken for it.
  function marked(asked, hit) {
    const text = fold(`${places[hit.id].title} ${places[hit.id].text}`);
    const whole = asked.split(/\s+/).map((word) => fold(word).replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, ""));
    const there = whole.filter((word) => word.length > 1 && text.includes(word));
    return there.length ? there : hit.terms;
  }

  // Where a word stands in a text, though the text may have accents that the word has not.
  function excerpt(text, words) {
    const signs = text.normalize("NFC").split("");
    const folded = signs.map((sign) => fold(sign)[0] ?? sign).join("");
    const found = words.map((word) => folded.indexOf(word)).filter((at) => at >= 0);
    let start = Math.max(0, (found.length ? Math.min(...found) : 0) - 70);
    while (start > 0 && signs[start - 1] !== " ") start -= 1;
    let end = Math.min(signs.length, start + 220);
    while (end < signs.length && signs[end] !== " ") end += 1;
    const line = document.createElement("p");
    if (start > 0) line.append("… ");
    mark(line, signs.slice(start, end), folded.slice(start, end), words);
    if (end < signs.length) line.append(" …");
    return line;
  }

  function mark(element, signs, folded, words) {
    let done = 0;
    while (done < signs.length) {
      const next = words
        .map((word) => ({ word, at: folded.indexOf(word, done) }))
        .filter(({ at }) => at >= 0)
        .sort((a, b) => a.at - b.at || b.word.length - a.word.length)[0];
      if (!next) break;
      element.append(signs.slice(done, next.at).join(""));
      const found = document.createElement("mark");
      found.textContent = signs.slice(next.at, next.at + next.word.length).join("");
      element.append(found);
      done = next.at + next.word.length;
    }
    element.append(signs.slice(done).join(""));
  }

  // What is shown already stays: a reader may be on the way to it.
  let shown = null;
  function show() {
    clearTimeout(timer);
    const asked = field.value.trim();
    if (asked === shown) return;
    shown = asked;
    list.replaceChildren();
    if (!asked) {
      count.textContent = "";
      return;
    }
    const { hits, some } = look(asked);
    count.textContent = hits.length
      ? `${hits.length} ${hits.length === 1 ? "place" : "places"} found for “${asked}”` +
        (some ? ", none with all of these words" : "") +
        (hits.length > MOST ? `; the best ${MOST} are shown` : "")
      : `Nothing found for “${asked}”.`;
    for (const hit of hits.slice(0, MOST)) {
      const place = places[hit.id];
      const words = marked(asked, hit);
      const link = document.createElement("a");
      link.href = `${place.page.file}.html${place.anchor ? `#${place.anchor}` : ""}`;
      link.textContent = place.title;
      link.addEventListener("click", () => {
        try {
          localStorage.setItem("book-search-words", words.join(" "));
        } catch {
          // a browser that keeps nothing: the place is found all the same
        }
      });
      const where = document.createElement("span");
      where.className = "search-where";
      const kind = place.title.startsWith(place.kind) ? "" : `${place.kind}, `;
      where.textContent = place.anchor ? ` · ${kind}${place.page.title}` : ` · ${place.kind}`;
      const item = document.createElement("li");
      item.append(link, where, excerpt(place.text, words));
      list.append(item);
    }
  }

  function remember() {
    const address = new URL(location.href);
    address.searchParams.set("q", field.value.trim());
    try {
      history.replaceState(null, "", address);
    } catch {
      // not from the disk
    }
  }

  field.value = new URLSearchParams(location.search).get("q") ?? "";
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => (show(), remember()), 150);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
    remember();
  });
  show();
  field.focus();
})();
